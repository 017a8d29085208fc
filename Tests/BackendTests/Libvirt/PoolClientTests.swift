// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import TestSupport
import Testing
import XML

/// Cistern's pools, held against libvirt itself: its client, and its test driver, which reads and prints pools but has none.
@Suite struct PoolClientTests {
    /// A pool that Cistern accepts, and what libvirt answers.
    private struct Trial {
        let text: String
        let definition: PoolDefinition
        /// What libvirt prints of the pool; nil if it refuses it.
        let dump: String?
    }

    private static let driver = "test:///default"

    /// Every accepted pool, with a UUID in its XML: by it virsh finds the pool again, whatever its name is.
    private static func trials() async throws -> [Trial] {
        let pools = try PoolCorpus.shared.get().accepted
        let texts = pools.map { sample, definition in
            var pool = sample.pool
            if pool.child("uuid") == nil { pool.children.append(Element("uuid", text: definition.uuid)) }
            return Writer().print(pool)
        }
        let replies = try await Libvirt.virsh(driver, texts) { index, path in
            let uuid = pools[index].definition.uuid
            return ["pool-define \(path)", "pool-dumpxml \(uuid)", "pool-undefine \(uuid)"]
        }
        return zip(zip(texts, pools), replies).map { pool, replies in
            Trial(text: pool.0, definition: pool.1.definition, dump: replies[0].isError ? nil : replies[1].text)
        }
    }

    @Test func `what libvirt prints of a pool is read unchanged, and says the same`() async throws {
        var differences = Differences()
        for trial in try await Self.trials() {
            guard let dump = trial.dump else { continue }
            switch PoolCorpus.outcome(dump) {
            case .failure(let error): Issue.record("\(error.message)\n\(dump)")
            case .success(let back):
                #expect(back.name == trial.definition.name && back.uuid == trial.definition.uuid && back.type == trial.definition.type)
                for difference in differences.unexplained(trial.definition, back) {
                    Issue.record("\(difference)\n\(trial.text)\n\(dump)")
                }
            }
        }
        #expect(differences.unseen.isEmpty, "no pool shows these")
    }

    @Test func `libvirt takes the compatible XML of every pool whose own XML it takes`() async throws {
        let trials = try await Self.trials().filter { $0.dump != nil }
        let texts = trials.map { PoolCorpus.compatible($0.definition) }
        let replies = try await Libvirt.virsh(Self.driver, texts) {
            ["pool-define --validate \($1)", "pool-undefine \(trials[$0].definition.uuid)"]
        }
        for (index, reply) in replies.enumerated() where reply[0].isError {
            Issue.record("\(reply[0].text)\n\(texts[index])\nof\n\(trials[index].text)")
        }
        let types = Dictionary(grouping: trials, by: \.definition.type).mapValues(\.count)
        for (type, count) in types { #expect(count > 50, "\(type)") }
    }
}

/// How settings may differ after libvirt has read and printed them.
private struct Differences {
    private struct Row: Sendable {
        let key: String
        let reason: String
        let holds: @Sendable (_ ours: Value?, _ theirs: Value?) -> Bool
    }

    private static let rows = [
        Row(key: "target.path", reason: "libvirt leaves out repeated slashes and the one at the end") { ours, theirs in
            guard case .string(let ours) = ours, case .string(let theirs) = theirs else { return false }
            return ours.split(separator: "/") == theirs.split(separator: "/")
        }
    ]

    private var seen: Set<Int> = []

    /// Rows that no difference was explained by.
    var unseen: [String] { Self.rows.indices.filter { !seen.contains($0) }.map { Self.rows[$0].reason } }

    mutating func unexplained(_ ours: PoolDefinition, _ theirs: PoolDefinition) -> [String] {
        let keys = Set(ours.settings.keys).union(theirs.settings.keys).filter { ours.settings[$0] != theirs.settings[$0] }
        return keys.sorted().compactMap { key in
            let (before, after) = (ours.settings[key], theirs.settings[key])
            let rows = Self.rows.indices.filter { Self.rows[$0].key == key && Self.rows[$0].holds(before, after) }
            seen.formUnion(rows)
            return rows.isEmpty ? "\(key) was \(before as Any) and is \(after as Any)" : nil
        }
    }
}
