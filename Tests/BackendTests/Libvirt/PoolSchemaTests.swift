// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import TestSupport
import Testing

/// Cistern's pools, held against libvirt's schema.
@Suite struct PoolSchemaTests {
    private let corpus: PoolCorpus

    init() throws { corpus = try PoolCorpus.shared.get() }

    @Test func `every pool that libvirt's schema allows is accepted, or refused by name`() {
        Refusals.check(Self.refused, against: corpus.samples.map { ($0.text, $0.outcome) })
    }

    /// Words of a refusal, and why.
    private static let refused: [String: String] = [
        // What libvirt refuses too, whatever its schema says.
        "octal permission bits from 0 to 0777": "there are no more",
        "the element features/cow": "only directories and file systems copy on write or not",
        "the element name is missing": "there is no name of the source that it could have, either",
        "A pool name must not contain “/”": "where a pool is named like its source, the source may not have a path for a name",
        "is no UUID": "nothing else names a secret in a pool's auth/secret/@uuid",
        "source/adapter needs": "half an address is none",
        "is no PCI address": "bus, slot and function are needed, in their limits",
        "@unique_id is “": "the kernel has no such number",
        // What is Cistern's own.
        "are libvirt's alone": "pool types that Cistern has not",
        "must not contain control characters": "a name is shown in lists and logs",
        "A pool name must not be": "a name is that of a file, too",
        "nor have control characters": "what is named by nothing does not exist",
        "fs:option/@name is empty": "there is no option without a name",
        "must be an absolute path, not “": "Windows has other paths, and Linux none that do not begin with a slash",
        "a numeric id, or -1 for none": "2^32 - 1 is nobody",
        "@type is “ceph”, but chap is needed": "iSCSI knows nothing of Ceph's keys",
        "@type is “chap”, but ceph is needed": "Ceph knows nothing of CHAP",
        "source/adapter has “": "a world-wide name is 16 hexadecimal digits, and names are not empty",
        "source/adapter may name its parent": "two parents may contradict each other",
        "@multifunction is not supported": "an adapter is not told by it, and libvirt drops it",
        "@part_separator is not supported": "only the names of partitions have it",
        "source/device/freeExtent is not supported": "only a disk tells of free extents",
        "source/format/vendor": "libvirt's schema has it twice, and libvirt does not read it there",
        "source/format/product": "libvirt's schema has it twice, and libvirt does not read it there",
        "source/name is there twice": "libvirt takes the first, whichever was meant",
        "must be a version such as 4.2": "it becomes a part of mount options",
        "rbd:option must have texts by name": "there is no option without a name",
    ]

    @Test func `there are accepted pools of every type`() {
        for (type, samples) in Dictionary(grouping: corpus.samples, by: \.type) {
            #expect(samples.contains { $0.definition != nil } == !PoolCorpus.foreign.contains(type), "\(type)")
        }
    }

    @Test func `what is accepted is printed and read as the same`() throws {
        for (sample, definition) in corpus.accepted {
            let text = definition.xml()
            #expect(PoolCorpus.outcome(text) == .success(definition), "\(sample.text)\n\(text)")
        }
    }

    @Test func `the compatible XML of what is accepted is valid`() async throws {
        let accepted = corpus.accepted(ofEachType: 100)
        let texts = try accepted.map { try PoolCorpus.compatible($0.definition) }
        for (index, complaint) in try await Libvirt.complaints(about: texts, schema: "storagepool") {
            Issue.record("\(complaint)\n\(texts[index])\nof\n\(accepted[index].sample.text)")
        }
        #expect(!texts.isEmpty)
    }
}
