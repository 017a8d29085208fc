// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import TestSupport
import Testing
import XML

/// Cistern's volumes, held against libvirt's schema and libvirt's test driver.
@Suite struct VolumeSchemaTests {
    private let corpus: VolumeCorpus

    init() throws { corpus = try VolumeCorpus.shared.get() }

    @Test func `every volume that libvirt's schema allows is accepted, or refused by name`() {
        Refusals.check(Self.refused, against: corpus.samples.map { ($0.text, $0.outcome) })
        #expect(corpus.accepted.count > corpus.samples.count / 5)
    }

    /// Words of a refusal, and why.
    private static let refused: [String: String] = [
        // What libvirt refuses too, whatever its schema says.
        "the element capacity is missing": "a volume that stands on nothing must say how large it is",
        "capacity is more than 2^63 - 1 bytes": "no file is larger",
        "allocation is more than 2^63 - 1 bytes": "no file is larger",
        "octal permission bits from 0 to 0777": "there are no more",
        // What is Cistern's own.
        "must not contain control characters": "a name is shown in lists and logs",
        "a numeric id, or -1 for none": "2^32 - 1 is nobody",
        "clusterSize is more than 2^63 - 1 bytes": "no cluster is larger",
        "backingStore/path is “": "Windows has other paths, and Linux none that do not begin with a slash",
        "target/encryption/@engine is “librbd”": "images are encrypted by qemu",
        "target/encryption/@format is “": "qemu opens new volumes that are encrypted with LUKS 1, and no others",
    ]

    @Test func `libvirt prints the volumes that it takes as Cistern reads them`() async throws {
        let pairs = corpus.accepted
        // libvirt is asked by name, and names of any kind are no words of its client's language.
        let texts = pairs.enumerated().map { Writer().print($1.sample.volume.named("v\($0)")) }
        let replies = try await Libvirt.virsh("test:///default", texts) { index, path in
            ["vol-create default-pool \(path)", "vol-dumpxml v\(index) default-pool", "vol-delete v\(index) default-pool"]
        }
        var differences = Differences(Self.differences, unreadable: [:])
        var taken = 0
        for (index, reply) in replies.enumerated() where !reply[0].isError {
            taken += 1
            var expected = pairs[index].parsed
            expected.request.name = "v\(index)"
            let back = VolumeCorpus.outcome(reply[1].text)
            let isExplained = differences.explain(expected, back)
            #expect(isExplained, "\(texts[index])\n\(reply[1].text)\n\(expected)\n\(back)")
        }
        #expect(taken > 100)
        #expect(differences.unseen.isEmpty, "no volume shows these")
    }

    private static let differences: [Differences<ParsedVolume>.Row] = [
        .init("libvirt does not print nocow") { ours, _ in ours.request.noCopyOnWrite = false },
        .init("libvirt adds the version that has features") { ours, theirs in
            if ours.request.layout.compat == nil, theirs.request.layout.compat == "1.1" { ours.request.layout.compat = "1.1" }
        },
        .init("libvirt takes a cluster of 0 bytes for one of the usual size") { ours, _ in
            if ours.request.layout.clusterSize == 0 { ours.request.layout.clusterSize = nil }
        },
    ]
}

extension Element {
    /// The same with another name in it.
    fileprivate func named(_ name: String) -> Element {
        var copy = self
        for index in copy.children.indices where copy.children[index].name == "name" { copy.children[index].text = name }
        return copy
    }
}
