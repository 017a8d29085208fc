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

    /// Accepted pools of every type, each with a UUID in its XML: by that virsh finds it again, whatever its name is.
    private static let trials = Task {
        let pools = try PoolCorpus.shared.get().accepted(ofEachType: 60)
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
        var differences = Differences(Self.differences, unreadable: Self.unreadable)
        for trial in try await Self.trials.value {
            guard let dump = trial.dump else { continue }
            let back = PoolCorpus.outcome(dump)
            let isExplained = differences.explain(trial.definition, back)
            #expect(isExplained, "\(trial.text)\n\(dump)\n\(trial.definition)\n\(back)")
        }
        #expect(differences.unseen.isEmpty, "no pool shows these")
    }

    private static let differences: [Differences<PoolDefinition>.Row] = [
        .init("libvirt leaves out repeated slashes and the one at the end") { ours, theirs in
            guard let path = ours.string("target.path"), let printed = theirs.string("target.path") else { return }
            if path.split(separator: "/") == printed.split(separator: "/") { ours.settings["target.path"] = .string(printed) }
        },
        .init("libvirt prints the format that goes without saying") { ours, theirs in
            guard ours.settings["source.format"] == nil, let format = PoolModel.all[ours.type]?.formats.first else { return }
            if theirs.string("source.format") == format { ours.settings["source.format"] = .string(format) }
        },
        .init("libvirt's test driver does not know the options of file systems and RBD") { ours, _ in
            for key in ["options.mount", "options.rbd"] { ours.settings[key] = nil }
        },
    ]

    private static let unreadable = [
        "The XML cannot be read": "libvirt does not escape the name of an adapter, and prints what is no XML"
    ]

    @Test func `libvirt takes the compatible XML of every pool whose own XML it takes`() async throws {
        let trials = try await Self.trials.value.filter { $0.dump != nil }
        let texts = try trials.map { try PoolCorpus.compatible($0.definition) }
        let replies = try await Libvirt.virsh(Self.driver, texts) {
            ["pool-define --validate \($1)", "pool-undefine \(trials[$0].definition.uuid)"]
        }
        for (index, reply) in replies.enumerated() where reply[0].isError {
            Issue.record("\(reply[0].text)\n\(texts[index])\nof\n\(trials[index].text)")
        }
        let types = Dictionary(grouping: trials, by: \.definition.type).mapValues(\.count)
        for (type, count) in types { #expect(count > 20, "\(type)") }
    }
}
