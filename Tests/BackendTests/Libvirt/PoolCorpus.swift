// SPDX-License-Identifier: LGPL-2.1-or-later
import TestSupport
import XML

@testable import Cistern

/// Random pools that libvirt's schema accepts, and what Cistern makes of each.
struct PoolCorpus {
    struct Sample {
        let pool: Element
        let text: String
        let outcome: Result<PoolDefinition, StorageError>

        var type: String { pool.attribute("type") ?? "" }
        var definition: PoolDefinition? { try? outcome.get() }
    }

    /// Pool types of libvirt that Cistern has not.
    static let foreign: Set = ["gluster", "sheepdog", "vstorage"]

    /// The same in every test and every run.
    static let shared = Result { try PoolCorpus(seed: 2026, each: 400) }

    let samples: [Sample]

    private init(seed: UInt64, each count: Int) throws {
        let grammar = try Grammar(contentsOfFile: Libvirt.schema("storagepool"))
        var generator = DocumentGenerator(grammar, seed: seed)
        var samples: [Sample] = []
        for definition in Self.alternatives(try grammar.definition("pool")) {
            for _ in 0..<count { samples.append(Self.sample(try generator.element("pool", of: definition))) }
        }
        self.samples = samples
    }

    private static func sample(_ pool: Element) -> Sample {
        let text = Writer().print(pool)
        return Sample(pool: pool, text: text, outcome: outcome(text))
    }

    /// What Cistern makes of a text: the definition as it is kept.
    static func outcome(_ text: String) -> Result<PoolDefinition, StorageError> {
        Result { () throws(StorageError) in
            var definition = try PoolDefinition.parse(xml: text).definition
            definition.complete()
            try definition.check()
            return definition
        }
    }

    /// The definitions that an element is a choice of.
    private static func alternatives(_ pattern: Element) -> [String] {
        if pattern.name == "choice" { return pattern.children.compactMap { $0.attribute("name") } }
        return pattern.children.flatMap(alternatives)
    }

    /// Those that are accepted, with a UUID as the daemon gives one to each.
    var accepted: [(sample: Sample, definition: PoolDefinition)] {
        samples.enumerated().compactMap { index, sample in
            guard var definition = sample.definition else { return nil }
            if definition.uuid.isEmpty { definition.uuid = Self.uuid(index) }
            return (sample, definition)
        }
    }

    /// The first of each type among those, so many at most.
    func accepted(ofEachType count: Int) -> [(sample: Sample, definition: PoolDefinition)] {
        let types = Dictionary(grouping: accepted, by: \.sample.type).sorted { $0.key < $1.key }
        return types.flatMap { $0.value.prefix(count) }
    }

    private static func uuid(_ number: Int) -> String {
        let digits = String(number)
        return "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits
    }

    /// The XML that clients of libvirt are given of a pool whose space is measured, but for what is available.
    static func compatible(_ definition: PoolDefinition) throws -> String {
        var snapshot = PoolSnapshot(definition: definition)
        snapshot.space = Space(capacity: 1 << 40, allocation: 1 << 39, available: unknownSize)
        return try snapshot.xml(compatible: true)
    }
}
