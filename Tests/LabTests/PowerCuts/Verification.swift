// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc

/// What must be true when the power is back, by the account of what was promised.
@LoopActor struct Verification {
    private let machine: Machine
    private(set) var account: Account
    private var problems: [String] = []
    /// How the jobs of open changes ended; nothing of those that are not known.
    private var completed: [Int: Bool] = [:]
    private let changed: Set<String>

    init(_ machine: Machine, _ account: Account) {
        self.machine = machine
        self.account = account
        changed = Set(account.open.flatMap(\.names))
    }

    /// - Throws: ``Guest/Failure``, with everything that is wrong.
    mutating func run() async throws {
        try await checkDefinitions()
        try await startPools()
        let left = machine.leftovers()
        if !left.isEmpty { problems.append("\(left) are left") }
        try await checkJobs()
        try await checkVolumes()
        guard problems.isEmpty else { throw Guest.Failure(problems.joined(separator: "\n")) }
    }

    private mutating func checkDefinitions() async throws {
        let found = try await machine.definitions()
        settle(found) { !$0.hasPrefix("volume ") }
    }

    /// Those that start with the machine do; then all but one are stopped, so that they can be defined anew.
    private func startPools() async throws {
        for pool in [Machine.pool] + Machine.others where account.certain[Facts.autostart(pool)] != nil {
            try await machine.daemon.becomes("active", machine.object(pool))
            if pool != Machine.pool { try await machine.daemon.perform(machine.object(pool), "Pool", "Stop") }
        }
    }

    // MARK: - Jobs

    /// Each job that was named in a reply ends, as it was told if that was told, or was undone.
    private mutating func checkJobs() async throws {
        for job in try await machine.jobs().keys { _ = try? await machine.wait(for: job) }
        let found = try await machine.jobs()
        for (number, job) in found {
            account.note(job: number)
            if job.state == "completed" || job.state == "failed" && job.error == "org.cistern1.Error.Interrupted" { continue }
            problems.append("job \(number) is \(job.state) \(job.error) after the power cut")
        }
        for change in account.open {
            guard let number = account.jobs[change.number] else { continue }
            if let job = found[number] {
                completed[change.number] = job.state == "completed"
            } else if !account.wasRecovering {
                // Only a job that has ended is forgotten.
                completed[change.number] = true
            }
        }
    }

    // MARK: - Volumes

    private mutating func checkVolumes() async throws {
        guard account.certain[Facts.definition(Machine.pool)] != nil else { return }
        if account.certain[Facts.autostart(Machine.pool)] == nil {
            try await machine.daemon.perform(machine.object(Machine.pool), "Pool", "Start")
        }
        let found = try await machine.volumes()
        settle(found) { $0.hasPrefix("volume ") }
        for (name, fact) in account.certain.sorted(by: { $0.key < $1.key }) {
            guard case .volume(let format, let capacity, _) = fact else { continue }
            let file = String(name.dropFirst(Facts.volume("").count))
            if format == "raw" { checkZeros(file, capacity) } else if changed.contains(name) { try await checkImage(file) }
        }
    }

    private mutating func checkZeros(_ name: String, _ capacity: UInt64) {
        let descriptor = open(machine.path(name), O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 1, count: 4096)
        for offset in [0, Int(capacity) - bytes.count] {
            let count = pread(descriptor, &bytes, bytes.count, offset)
            if count != bytes.count || bytes.contains(where: { $0 != 0 }) { problems.append("\(name) has other content than zeros") }
        }
    }

    /// An interrupted resize may have cost clusters, but no data.
    private mutating func checkImage(_ name: String) async throws {
        let checked = try await Child.run("qemu-img", ["check", "-f", "qcow2", machine.path(name)], deadline: .seconds(60))
        if checked.succeeded || checked.signal == 0 && checked.status == 3 { return }
        problems.append("\(name) is broken: \(checked.text.prefix(300)) \(checked.complaint.prefix(300))")
    }

    // MARK: - Facts

    /// Finds out at which stage the open changes of some names are, and that all else is as it was.
    private mutating func settle(_ found: Facts, of isMeant: (String) -> Bool) {
        for change in account.open where change.names.contains(where: isMeant) {
            if let stage = possible(change).last(where: { stage in change.names.allSatisfy { Self.keeps(found[$0], stage[$0]) } }) {
                print("\(change.what) was \(outcome(change)), and is \(stage == change.stages.last ? "done" : "not done")")
                account.settle(change, stage)
            } else {
                let facts = change.names.sorted().map { "\($0): \(Self.text(found[$0]))" }
                problems.append("\(change.what) was \(outcome(change)), and is none of \(possible(change)): \(facts)")
                // Told once is enough.
                account.settle(change, found)
            }
        }
        let names = Set(found.keys).union(account.certain.keys.filter(isMeant))
        for name in names.sorted() where !Self.keeps(found[name], account.certain[name]) {
            problems.append("\(name): \(Self.text(found[name])) and not \(Self.text(account.certain[name]))")
        }
    }

    private func possible(_ change: Change) -> [Facts] {
        switch completed[change.number] {
        case true: change.stages.suffix(1)
        case false: Array(change.stages.prefix(1))
        case nil: change.stages
        }
    }

    private func outcome(_ change: Change) -> String {
        let job = account.jobs[change.number].map { " as job \($0)" } ?? ""
        return (completed[change.number].map { $0 ? "completed" : "undone" } ?? "under way") + job
    }

    private static func keeps(_ found: Fact?, _ promised: Fact?) -> Bool {
        guard let found, let promised else { return found == nil && promised == nil }
        return found.keeps(promised)
    }

    private static func text(_ fact: Fact?) -> String { fact.map { "\($0)" } ?? "nothing" }
}
