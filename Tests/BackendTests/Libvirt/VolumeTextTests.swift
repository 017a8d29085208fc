// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import TestSupport
import Testing

@testable import Images

/// The XML that Cistern prints of volumes, held against libvirt's schema, libvirt's test driver, and Cistern itself.
@Suite struct VolumeTextTests {
    /// Volumes of every format and kind that there is, on backing files of all sorts, with all sorts of details.
    private static let volumes: [Volume] = {
        var random = SplitMix(seed: 2028)
        func pick<T>(_ choices: [T], _ other: T) -> T { choices.randomElement(using: &random) ?? other }
        let formats = ["", "raw"] + Format.allCases.map(\.rawValue)
        return (0..<400).map { number in
            var volume = Volume(name: "v\(number)" + pick(["", "'", " <&>\"", ".ä中𐍈"], ""))
            volume.kind = pick([.file, .block, .dir, .network], .file)
            volume.key = pick(["", "a:b'&/c"], "")
            volume.path = pick(["", "/srv/\(volume.name)"], "")
            volume.format = formats[number % formats.count]
            volume.capacity = pick([0, 1, 4096, 1 << 20], 0)
            volume.allocation = pick([0, 4096, unknownSize], 0)
            volume.physical = pick([0, 4096, unknownSize], 0)
            volume.backingPath = pick(["", "", "/srv/base", "/a&'b", "nbd://host/name", "json:{\"driver\":\"null-co\"}"], "")
            volume.encryption = pick(["", "", "luks1", "luks2", "aes"], "")
            volume.mode = pick([0, 0o600, 0o777], 0)
            volume.owner = pick([0, 107, .max - 1], 0)
            volume.securityLabel = pick(["", "system_u:object_r:x:s0"], "")
            volume.modifyTime = pick([0, 1, 1_700_000_000_000_042], 0)
            volume.birthTime = pick([0, 5_000_000], 0)
            if !volume.backingPath.isEmpty { volume.details["backing-format"] = .string(pick(formats, "raw")) }
            volume.details["compat"] = .string(pick(["0.10", "1.1"], "1.1"))
            volume.details["cluster-size"] = .uint64(pick([512, 65536], 512))
            volume.details["lazy-refcounts"] = .bool(pick([true, false], true))
            volume.details["extended-l2"] = .bool(pick([true, false], true))
            return volume
        }
    }()

    @Test func `libvirt's schema allows the compatible XML of every volume`() async throws {
        let texts = Self.volumes.map { $0.xml(compatible: true) }
        for (index, complaint) in try await Libvirt.complaints(about: texts, schema: "storagevol") {
            Issue.record("\(complaint)\n\(texts[index])")
        }
    }

    @Test func `libvirt takes the compatible XML of every volume that its test driver can have`() async throws {
        let texts = Self.volumes.map { $0.xml(compatible: true) }
        let replies = try await Libvirt.virsh("test:///default", texts) { ["vol-create default-pool --file \($1)"] }
        // The driver's one pool is a directory, where no volume is of an unknown format.
        for (text, reply) in zip(texts, replies) where reply[0].isError && !reply[0].text.contains("unknown volume format type") {
            Issue.record("\(reply[0].text)\n\(text)")
        }
        #expect(replies.count { !$0[0].isError } > 200)
    }

    @Test func `Cistern reads what it prints, or refuses by name what it cannot make`() throws {
        for volume in Self.volumes {
            for compatible in [true, false] {
                let text = volume.xml(compatible: compatible)
                switch VolumeCorpus.outcome(text) {
                case .success(let parsed):
                    let request = parsed.request
                    #expect(request.name == volume.name && request.capacity == volume.capacity, "\(text)")
                    #expect(request.mode == volume.mode && request.owner == volume.owner && request.group == volume.group, "\(text)")
                    #expect(compatible || parsed.backingPath ?? "" == volume.backingPath, "\(text)")
                case .failure(let error):
                    let isForeign = ["luks2", "aes"].contains(volume.encryption) && error.message.contains("target/encryption/@format")
                    let isElsewhere = !volume.backingPath.hasPrefix("/") && error.message.contains("backingStore/path")
                    #expect(isForeign || isElsewhere && !compatible, "\(error.message)\n\(text)")
                }
            }
        }
    }
}
