// SPDX-License-Identifier: LGPL-2.1-or-later
import Images
import TestSupport
import Testing

/// What hand-made headers say, and that nothing in a header can do harm.
@Suite struct ImageSampleTests {
    @Test(arguments: Samples.all)
    func isReadAsWhatItIs(_ sample: Samples.Sample) {
        let header = sample.image.examine()
        #expect(header.format == sample.format)
        #expect(header.problem == "")
        #expect(header.capacity == Samples.capacity)
    }

    @Test(arguments: Samples.all)
    func isBrokenWhenTruncatedAnywhere(_ sample: Samples.Sample) {
        for length in lengths(sample) {
            let header = sample.image.truncated(to: UInt64(length)).examine()
            if length < sample.mark {
                #expect(header == ImageHeader(format: "raw"), "at \(length)")
            } else if length < sample.whole {
                #expect(header.problem != "", "at \(length)")
                #expect(header.capacity == nil)
                #expect(length < 8 || header.format == sample.format, "at \(length)")
            } else {
                #expect(header.problem == "", "at \(length)")
            }
        }
    }

    /// All of a small file's; of a large one's those that cut one of its pieces.
    private func lengths(_ sample: Samples.Sample) -> [Int] {
        if sample.image.length <= 1 << 14 { return Array(0...Int(sample.image.length)) }
        let ends = [sample.whole - 1, sample.whole, Int(sample.image.length)]
        return sample.image.pieces.flatMap { Array(Int($0.offset)...Int($0.offset) + $0.bytes.count) }.filter { $0 < sample.whole } + ends
    }

    @Test(arguments: Samples.all)
    func survivesEveryByteSetToTheExtremes(_ sample: Samples.Sample) {
        for index in 0..<sample.image.count {
            for byte: UInt8 in [0x00, 0xff, 0x7f, 0x80] { sample.image.setting(index, to: byte).examine() }
        }
        guard sample.format == "vpc" else { return }
        for index in 0..<512 {
            for byte: UInt8 in [0x00, 0xff, 0x7f, 0x80] { repaired(sample.image.setting(index, to: byte)).examine() }
        }
    }

    @Test func survivesTwentyThousandMutations() {
        var random = SplitMix(seed: 20_260_501)
        var broken = 0
        for _ in 0..<20_000 {
            var image = Samples.all[Int(random.next() % UInt64(Samples.all.count))].image
            for _ in 0..<1 + random.next() % 8 { mutate(&image, &random) }
            if random.next() % 4 == 0 { image.length = random.next() % (image.length + 1) }
            if random.next() % 2 == 0 { image = repaired(image) }
            if random.next() % 8 == 0 { image.declared = formats[Int(random.next() % UInt64(formats.count))] }
            if random.next() % 16 == 0 { image.name = ["a.iso", "a.dmg", "A.ISO", ""][Int(random.next() % 4)] }
            if image.examine().problem != "" { broken += 1 }
        }
        // Neither all nor none: the mutations reach the depths of the parsers.
        #expect((2_000...18_000).contains(broken))
    }

    private let formats = [
        "raw", "qcow", "qcow2", "qed", "vmdk", "vdi", "vpc", "vhdx", "luks", "iso", "bochs", "cloop", "dmg", "parallels",
    ]

    /// A byte, a number of four or eight bytes, or a run of random bytes.
    private func mutate(_ image: inout FakeImage, _ random: inout SplitMix) {
        let number = Int(random.next() % UInt64(image.pieces.count))
        let count = image.pieces[number].bytes.count
        let start = Int(random.next() % UInt64(min(count, random.next() % 4 == 0 ? count : 192)))
        let kind = random.next() % 4
        let width = [1, 4, 8, 16][Int(kind)]
        let fill: UInt8? = [0x00, 0x01, 0x7f, 0xff, nil, nil][Int(random.next() % 6)]
        for index in start..<min(start + width, count) {
            image.pieces[number].bytes[index] = fill ?? UInt8(truncatingIfNeeded: random.next())
        }
    }

    /// A vpc image with a right checksum, so that its other fields are looked at.
    private func repaired(_ image: FakeImage) -> FakeImage {
        var image = image
        guard image.pieces[0].bytes.count == 512, image.pieces[0].bytes.starts(with: "conectix".utf8) else { return image }
        image.pieces[0].bytes = Samples.withChecksum(image.pieces[0].bytes)
        return image
    }
}
