// SPDX-License-Identifier: LGPL-2.1-or-later
import Images
import Testing

/// Single fields of hand-made headers: what qemu-img does not write, and what nobody should.
@Suite struct ImageFieldTests {
    @Test func plainDataIsRaw() {
        for content in ["", "x", "QFI", "# a comment\n", "#!/bin/sh\nexit\n", "version=9\n", String(repeating: "text\n", count: 900)] {
            let image = FakeImage((0, Array(content.utf8)))
            #expect(image.examine() == ImageHeader(format: "raw"), "\(content.prefix(20))")
        }
        #expect(FakeImage(length: 1 << 40).examine() == ImageHeader(format: "raw"))
    }

    @Test func whatIsDeclaredRawIsRawWhateverItsBytesSay() {
        for sample in Samples.all {
            var image = sample.image
            image.declared = "raw"
            #expect(image.examine() == ImageHeader(format: "raw"), "\(sample.description)")
        }
    }

    @Test func whatIsDeclaredMustBeIt() {
        for format in ["qcow", "qcow2", "qed", "vmdk", "vdi", "vpc", "vhdx", "luks", "bochs", "cloop", "dmg", "parallels", "tar"] {
            let header = FakeImage(length: 1 << 20, as: format).examine()
            #expect(header.format == format)
            #expect(header.problem != "")
        }
        #expect(FakeImage(length: 1 << 20, as: "iso").examine().problem != "")
        #expect(Samples.qcow.declared("qcow2").examine().problem == "its version 1 is unknown")
        #expect(Samples.qcow2.declared("qcow").examine().problem == "its version 3 is not qcow's")
    }

    @Test func qcow2SaysWhatItNeeds() {
        let header = Samples.qcow2.examine()
        #expect(header.backing == ImageHeader.Backing(file: "base.img", format: "raw"))
        #expect(header.dataFile == "data.raw")
        #expect(header.encryption == "luks1")
        #expect(header.clusterSize == 512)
        #expect(header["compression"] == .string("zstd"))
        #expect(header["lazy-refcounts"] == .bool(true))
        #expect(header["dirty"] == .bool(false))
        let dirty = Samples.qcow2.setting(79, to: 0b01111).examine()
        #expect(dirty["dirty"] == .bool(true))
        #expect(dirty["corrupt"] == .bool(true))
        #expect(dirty.problem == "")
    }

    @Test(
        arguments: [
            (23, 40, "its cluster size of 2^40 bytes is out of range"), (23, 8, "its cluster size of 2^8 bytes is out of range"),
            (7, 9, "its version 9 is unknown"), (24, 0x80, "its size of 9223372036857921536 is out of range"),
            (39, 0, "its L1 table of 0 entries is too short for its size of 3145728 bytes"),
            (36, 1, "its L1 table of 16777312 entries is too long"),
            (72, 0x80, "it needs features that are unknown here"), (103, 8, "its header length of 8 is out of range"),
            (104, 0, "its compression type 0 contradicts its features"), (104, 7, "its compression type 7 is unknown"),
            (99, 7, "its reference counts of 2^7 bits are out of range"), (35, 3, "its encryption method 3 is unknown"),
            (151, 8, "its pointer to a LUKS header is not valid"), (118, 9, "one of its header extensions is longer than its header"),
            (176, 0, "its backing file's name is not valid UTF-8"), (176, 0xff, "its backing file's name is not valid UTF-8"),
            (55, 1, "its table of reference counts is missing, misplaced or too long"), (47, 1, "its L1 table lies in a wrong place"),
            (59, 0, "its table of reference counts is missing, misplaced or too long"),
            (16, 0xff, "its backing file's name lies outside of its first cluster"),
            (42, 1, "it is truncated: its L1 table lies beyond its end"), (60, 1, "its number of snapshots of 16777216 is out of range"),
            (128, 0, "its data lies in another file that it does not name"),
            (144, 0, "it is encrypted and does not say where its LUKS header is"),
        ] as [(Int, UInt8, String)])
    func aBrokenQcow2SaysWhy(_ offset: Int, _ byte: UInt8, _ problem: String) {
        let header = Samples.qcow2.setting(offset, to: byte).examine()
        #expect(header.format == "qcow2")
        #expect(header.problem == problem)
        #expect(header.capacity == nil)
    }

    @Test func aNameMayBeLongButNotTooLong() {
        #expect(Samples.qcow2Old.examine().backing == ImageHeader.Backing(file: "base.img\u{1}"))
        let problem = "its backing file's name of 1033 bytes is too long"
        #expect(Samples.qcow2Old.setting(18, to: 4).examine().problem == problem)
    }

    @Test func vmdkTellsExtentsAndParent() {
        let text = Samples.vmdkText.examine()
        #expect(text.extents == ["image-f001.vmdk", "image s002.vmdk"])
        #expect(text["subformat"] == .string("custom"))
        #expect(text.backing == nil)
        let sparse = Samples.vmdk.examine()
        #expect(sparse.backing == ImageHeader.Backing(file: "base.vmdk", format: "vmdk"))
        #expect(sparse.extents == [])
        let windows = Samples.vmdkText("#\r\n \r\nversion=3\r\nCREATETYPE = \"vmfs\"\r\nRW 2 VMFS \"a-flat.vmdk\"\r\n").examine()
        #expect(windows.extents == ["a-flat.vmdk"])
        #expect(windows.capacity == 1024)
    }

    @Test(arguments: [
        "RW 18446744073709551615 FLAT \"a\" 0\nRW 1 FLAT \"b\" 0", "RW 9223372036854775807 FLAT \"a\" 0", "RW -1 FLAT \"a\" 0",
        "RW x FLAT \"a\"",
        "RW 99999999999999999999 FLAT \"a\" 0", "RW 1 FLAT \"a", "RW 1 FLAT", "RW 12", "RW 1 FLAT \"\" 0", "parentFileNameHint=\"x\"",
    ])
    func aBrokenDescriptorIsAProblem(_ line: String) {
        let header = Samples.vmdkText("# Disk DescriptorFile\nversion=1\ncreateType=\"custom\"\n\(line)").examine()
        #expect(header.format == "vmdk")
        #expect(header.problem != "")
    }

    @Test func aLongDescriptorIsReadAndAnEndlessOneIsNot() {
        let head = "# Disk DescriptorFile\nversion=1\ncreateType=\"twoGbMaxExtentSparse\"\n"
        let lines = (1...1000).map { "RW 4192256 SPARSE \"d-s\($0).vmdk\"\n" }.joined()
        let long = Samples.vmdkText(head + lines).examine()
        #expect(long.extents.count == 1000)
        #expect(long.capacity == 4_192_256 * 512 * 1000)
        #expect(Samples.vmdkText(head + lines + lines + lines).examine().problem != "")
    }

    @Test func vpcTakesTheGeometryUnlessItsCreatorUsesTheSize() {
        for creator in ["win ", "qem2", "d2v ", "CTXS", "tap\0", "wa\0\0"] {
            #expect(Samples.vpc(type: 3, creator: creator, size: Samples.capacity).examine().capacity == Samples.capacity, "\(creator)")
        }
        for creator in ["vpc ", "qemu", "vbox", "win\0", "\0\0\0\0"] {
            let image = Samples.vpc(type: 3, creator: creator, size: Samples.capacity, geometry: (80, 4, 17))
            #expect(image.examine().capacity == 80 * 4 * 17 * 512, "\(creator)")
        }
        let largest = Samples.vpcFixed(creator: "vpc ", size: 1 << 40, geometry: (65535, 16, 255))
        #expect(largest.examine().capacity == 1 << 40)
        let tooLarge = Samples.vpcFixed(creator: "win ", size: 2041 << 30, geometry: (65535, 16, 255))
        #expect(tooLarge.examine().problem == "its size of 4280287232 sectors is out of range")
    }

    @Test func aFixedVpcIsRawUnlessDeclared() {
        var image = Samples.vpcFixed(creator: "vpc ", size: 1 << 20, geometry: (30, 4, 17))
        #expect(image.examine()["subformat"] == .string("fixed"))
        image.declared = nil
        #expect(image.examine() == ImageHeader(format: "raw"))
    }

    @Test func microsoftOverlaysNameTheirParents() {
        #expect(Samples.vpcOverlay.examine().backing == ImageHeader.Backing(file: "Größe.vhd", format: "vpc"))
        #expect(Samples.vhdxOverlay.examine().backing == ImageHeader.Backing(file: #"..\Größe.vhdx"#, format: "vhdx"))
        #expect(Samples.vhdxOverlay.examine()["subformat"] == .string("differencing"))
    }

    @Test func vhdxTakesTheSecondRegionTableIfTheFirstIsDamaged() {
        var image = Samples.vhdx
        image.pieces[1].offset = 256 << 10
        #expect(image.examine().capacity == Samples.capacity)
    }

    @Test(
        arguments: [
            (#""0":{"type":"crypt","offset":"16384","size":"1048576"}"#, 1 << 20),
            (#""0":{"offset":"16384","size":"1048576"},"1":{"offset":"1064960","size":"dynamic"}"#, Samples.capacity),
            (
                #""0":{"offset":"16384","size":"dynamic"},"1":{"flags":["backup-final"],"offset":"16384","size":"dynamic"}"#,
                Samples.capacity
            ),
            (#" "0" : { "x" : [ { "a" : "}" } , 1.5e3 , null ] , "size" : "dynamic" , "offset" : "32768" } "#, Samples.capacity - 16384),
            (#""0":{"type":"crypt","offset":"16384","size":"18446744073709551615"}"#, nil),
            (#""0":{"offset":"16384","size":"99999999999999999999"}"#, nil), (#""0":{"offset":"-1","size":"dynamic"}"#, nil),
            (#""0":{"offset":16384,"size":"dynamic"}"#, nil), (#""0":{"size":"dynamic"}"#, nil),
            (#""0":{"offset":"16384"}"#, Samples.capacity),
            (#""#, nil), (#""0":[[[[[["#, nil), (#""0":"#, nil), (#""0"{}"#, nil), (#""0":{"offset":"0","size":"dynamic"}"#, nil),
        ] as [(String, UInt64?)])
    func luks2FindsItsData(_ segments: String, _ capacity: UInt64?) {
        let header = Samples.luks2(segments).examine()
        #expect(header.format == "luks")
        #expect(header.encryption == "luks2")
        #expect(header.capacity == capacity)
        #expect(header.problem.isEmpty == (capacity != nil))
    }

    @Test func luksWithItsDataElsewhereIsAProblem() {
        #expect(Samples.luks1.setting(107, to: 0).examine().problem == "its data lies in another file")
        #expect(Samples.luks1.examine().encryption == "luks1")
    }

    @Test func isoIsLookedForByNameAlone() {
        var disc = FakeImage(name: "Debian.ISO", length: 1 << 20, (32768, Array("\u{1}CD001\u{1}".utf8)))
        #expect(disc.examine() == ImageHeader(format: "iso"))
        disc.pieces = []
        #expect(disc.examine() == ImageHeader(format: "raw"))
        #expect(disc.truncated(to: 100).examine() == ImageHeader(format: "raw"))
        #expect(FakeImage(name: "disc", length: 1 << 20, (32768, Array("\u{1}CD001\u{1}".utf8))).examine().format == "raw")
    }

    @Test func dmgIsLookedForByNameAlone() {
        let trailer = HeaderBytes.make(512) {
            $0.put(0, "koly")
            $0.big(4, UInt32(4))
            $0.big(8, UInt32(512))
            $0.big(0x1ec, Samples.capacity / 512)
        }
        var image = FakeImage(name: "Install.dmg", (100_001, trailer))
        #expect(image.examine().format == "dmg")
        #expect(image.examine().capacity == Samples.capacity)
        #expect(image.setting(0x1ec, to: 0x80).examine().problem != "")
        image.length += 1
        #expect(image.examine() == ImageHeader(format: "raw"))
        #expect(FakeImage(name: "Install", (100_001, trailer)).examine().format == "raw")
    }

    @Test func errorsOfTheReaderComeThrough() {
        struct Gone: Error, Equatable {}
        let header = Samples.vhdx.read(0, 4096)
        #expect(throws: Gone()) {
            try ImageProbe.examine(header.span, length: 1 << 21, name: "x") { (_, _) throws(Gone) in throw Gone() }
        }
    }
}

extension FakeImage {
    func declared(_ format: String) -> FakeImage {
        var copy = self
        copy.declared = format
        return copy
    }
}
