// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import TestSupport

/// Random operations, several at a time, until the power goes. All of them succeed: each has its names for itself.
@LoopActor final class Load {
    /// What a boot does most of.
    private enum Taste { case everything, definitions, volumes }

    private let machine: Machine
    private let ledger: Ledger
    private var dice: SplitMix
    private let taste: Taste
    private var certain: Facts
    private let lastJob: UInt64
    private var jobs: Set<UInt64> = []
    /// Names that an operation is about.
    private var busy: Set<String> = []
    private var changes = 0
    /// A pool does not grow beyond that.
    private static let mostVolumes = 12
    private static let largest: UInt64 = 8 << 20
    private static let kinds = [
        (format: "raw", allocation: "sparse"), ("raw", "sparse"), ("raw", "falloc"), ("raw", "full"), ("raw", "full"),
        ("qcow2", "metadata"),
    ]

    /// - Parameter account: what is certain, and the last job number that was heard of.
    init(_ machine: Machine, _ ledger: Ledger, _ account: Account, seed: UInt64) {
        self.machine = machine
        self.ledger = ledger
        certain = account.certain
        lastJob = account.lastJob
        dice = SplitMix(seed: seed)
        taste = [.everything, .everything, .definitions, .volumes].randomElement(using: &dice) ?? .everything
    }

    /// Has the pool that volumes are made in; then goes on until the power goes or something is wrong.
    func run() async throws {
        try await ensurePool()
        // What is alone is not made durable by the syncs of others.
        let streams = percent(50) ? 1 : number(2...4)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<streams { group.addTask { while !Task.isCancelled { try await self.step() } } }
            try await group.next()
        }
    }

    private func ensurePool() async throws {
        let (definition, autostart) = (Facts.definition(Machine.pool), Facts.autostart(Machine.pool))
        guard certain[definition] == nil || certain[autostart] == nil else { return }
        if certain[definition] == nil {
            try await define(Machine.pool, target: Machine.directory, options: ["autostart": .bool(true)])
        } else {
            try await setAutostart(Machine.pool, true)
            return
        }
        try await machine.daemon.perform(machine.object(Machine.pool), "Pool", "Start")
    }

    private func step() async throws {
        let aboutDefinitions = taste == .everything ? percent(35) : taste == .definitions
        try await aboutDefinitions ? changeDefinition() : changeVolume()
    }

    // MARK: - Chance

    private func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &dice) }
    private func percent(_ chance: Int) -> Bool { number(0...99) < chance }
    /// Bytes, whole pages.
    private func size(upTo most: UInt64) -> UInt64 { UInt64(number(1...Int(most / 4096))) * 4096 }

    // MARK: - Definitions

    private func changeDefinition() async throws {
        let free = Machine.others.filter { !busy.contains(Facts.definition($0)) }
        guard let pool = free.randomElement(using: &dice) else { return await Task.yield() }
        guard case .definition(let old)? = certain[Facts.definition(pool)] else {
            return try await define(
                pool, target: Machine.targets(of: pool)[number(0...2)], options: percent(50) ? ["autostart": .bool(true)] : [:])
        }
        switch number(0...9) {
        case 0...4:
            var options: [String: Variant] = ["replace": .bool(true)]
            if percent(30) { options["autostart"] = .bool(true) }
            let target = Machine.targets(of: pool).filter { $0 != old }[number(0...1)]
            try await define(pool, target: target, options: options)
        case 5...6: try await undefine(pool)
        default: try await setAutostart(pool, certain[Facts.autostart(pool)] == nil)
        }
    }

    private func define(_ pool: String, target: String, options: [String: Variant]) async throws {
        let before = facts(of: pool)
        var stages = [before, before.merging([Facts.definition(pool): .definition(target: target)]) { $1 }]
        if options["autostart"] != nil { stages.append(stages[1].merging([Facts.autostart(pool): .autostart]) { $1 }) }
        try await perform("define \(pool) with \(target) and \(options.keys.sorted())", stages, about: pool) { machine in
            _ = try await machine.daemon.call(
                Daemon.manager, "Manager", "DefinePool", pool, "dir", ["target.path": Variant.string(target)], options,
                returning: ObjectPath.self)
            return nil
        }
    }

    private func undefine(_ pool: String) async throws {
        let before = facts(of: pool)
        let stages = [before, before.filter { $0.key == Facts.definition(pool) }, [:]]
        try await perform("undefine \(pool)", stages, about: pool) { machine in
            try await machine.daemon.call(machine.object(pool), "Pool", "Undefine", [String: Variant]())
            return nil
        }
    }

    private func setAutostart(_ pool: String, _ autostart: Bool) async throws {
        let before = facts(of: pool)
        let after = before.filter { $0.key == Facts.definition(pool) }.merging(autostart ? [Facts.autostart(pool): .autostart] : [:]) { $1 }
        try await perform("set the autostart of \(pool) to \(autostart)", [before, after], about: pool) { machine in
            try await machine.daemon.call(machine.object(pool), "Pool", "SetAutostart", autostart, [String: Variant]())
            return nil
        }
    }

    private func facts(of pool: String) -> Facts { certain.filter { [Facts.definition(pool), Facts.autostart(pool)].contains($0.key) } }

    // MARK: - Volumes

    private func changeVolume() async throws {
        let count = certain.keys.lazy.filter { $0.hasPrefix("volume ") }.count
        switch count > Self.mostVolumes ? number(40...79) : number(0...99) {
        case 0...39: try await create()
        case 40...54: try await delete()
        case 55...69: try await rename()
        default: try await resize()
        }
    }

    private func create() async throws {
        let name = freeName()
        let capacity = size(upTo: percent(80) ? 1 << 20 : Self.largest)
        let (format, allocation) = Self.kinds.randomElement(using: &dice) ?? Self.kinds[0]
        let reserved = ["falloc", "full"].contains(allocation) ? capacity : 0
        let options: [String: Variant] = ["format": .string(format), "allocation": .string(allocation), "wait": .bool(percent(50))]
        let fact = Fact.volume(format: format, capacity: capacity, reserved: reserved)
        try await perform("create \(name), \(format) \(allocation) of \(capacity)", [[:], [Facts.volume(name): fact]]) { machine in
            try await machine.daemon.create(machine.object(Machine.pool), name, capacity, options).job
        }
    }

    private func delete() async throws {
        guard let (name, fact) = existing() else { return try await create() }
        try await perform("delete \(name)", [[Facts.volume(name): fact], [:]]) { machine in
            try await machine.daemon.call(machine.volume(name), "Volume", "Delete", [String: Variant](), returning: ObjectPath.self)
        }
    }

    private func rename() async throws {
        guard let (name, fact) = existing() else { return try await create() }
        let new = freeName()
        try await perform("rename \(name) to \(new)", [[Facts.volume(name): fact], [Facts.volume(new): fact]]) { machine in
            _ = try await machine.daemon.call(
                machine.volume(name), "Volume", "Rename", new, [String: Variant](), returning: ObjectPath.self)
            return nil
        }
    }

    private func resize() async throws {
        guard let (name, fact) = existing(), case .volume(let format, let old, let reserved) = fact else { return try await create() }
        let isGrowing = percent(70) && old < Self.largest
        let new = isGrowing ? old + size(upTo: 1 << 20) : max(4096, old / 8192 * 4096)
        let allocates = isGrowing && format == "raw" && percent(60)
        let kept = isGrowing ? reserved + (allocates ? new - old : 0) : reserved == old ? new : 0
        let after = Fact.volume(format: format, capacity: new, reserved: kept)
        let options: [String: Variant] = ["allow-shrink": .bool(!isGrowing), "allocate": .bool(allocates), "wait": .bool(percent(50))]
        let what = "resize \(name) from \(old) to \(new)\(allocates ? ", allocated" : "")"
        try await perform(what, [[Facts.volume(name): fact], [Facts.volume(name): after]]) { machine in
            try await machine.daemon.call(machine.volume(name), "Volume", "Resize", new, options, returning: ObjectPath.self)
        }
    }

    private func freeName() -> String {
        while true {
            let name = "v\(number(0...999))"
            if certain[Facts.volume(name)] == nil, !busy.contains(Facts.volume(name)) { return name }
        }
    }

    private func existing() -> (name: String, fact: Fact)? {
        let free = certain.filter { $0.key.hasPrefix("volume ") && !busy.contains($0.key) }.sorted { $0.key < $1.key }
        return free.randomElement(using: &dice).map { (String($0.key.dropFirst(Facts.volume("").count)), $0.value) }
    }

    // MARK: - Promises

    /// Notes what is asked for, calls, and notes what is told.
    private func perform(
        _ what: String, _ stages: [Facts], about pool: String? = nil, _ call: @LoopActor (Machine) async throws -> ObjectPath?
    ) async throws {
        changes += 1
        let change = Change(number: changes, what: what, stages: stages)
        let names = change.names.union(pool.map { [Facts.definition($0), Facts.autostart($0)] } ?? [])
        busy.formUnion(names)
        try ledger.write(.sent(change))
        do {
            if let job = try await call(machine), job != "/" { try await follow(Machine.number(job), change) }
        } catch { throw Guest.Failure("cannot \(what): \(error)") }
        try ledger.write(.done(change.number))
        busy.subtract(names)
        for name in names { certain[name] = stages[stages.count - 1][name] }
    }

    private func follow(_ job: UInt64, _ change: Change) async throws {
        guard job > lastJob, jobs.insert(job).inserted else { throw Guest.Failure("the job number \(job) was used before") }
        try ledger.write(.job(job, of: change.number))
        try await machine.wait(for: job)
    }
}
