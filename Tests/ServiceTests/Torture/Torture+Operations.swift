// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc

extension Torture {
    /// The errors with which a call may fail because others are at work on the same volume.
    private static let contention: Set<String> = [
        "org.cistern1.Error.Busy", "org.cistern1.Error.Exists", "org.cistern1.Error.NotFound", "org.freedesktop.DBus.Error.UnknownObject",
    ]
    /// The errors of calls that the daemon's death left without an answer.
    private static let death: Set<String> = [
        "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
        "org.freedesktop.DBus.Error.Disconnected",
    ]
    /// A pool does not grow beyond that.
    private static let mostFiles = 32

    /// Sends that many random operations; the tasks end with their replies.
    func sendOperations(_ count: Int) -> [Task<Void, Never>] {
        for pool in pools { pool.taken = [] }
        var tasks: [Task<Void, Never>] = []
        if dice.percent(17) { tasks.append(send(nil) { [self] client in try await start(crowd, client) }) }
        for _ in 0..<count {
            guard let pool = dice.pick(pools) else { continue }
            operations += 1
            tasks += operation(on: pool)
        }
        return tasks
    }

    /// Operations as soon as a pool is active, when what was interrupted may still be finished or undone.
    func sendEarly() async throws {
        var tasks: [Task<Void, Never>] = []
        for pool in pools {
            try await harness.becomes("active", pool.object)
            for _ in 0..<3 { tasks.append(create(in: pool)) }
        }
        for task in tasks { await task.value }
        for job in cells.compactMap(\.job) {
            _ = try? await harness.call(job, Harness.jobInterface, "Wait", [String: Variant](), returning: [String: Variant].self)
        }
        try await observer.catchUp()
    }

    private func operation(on pool: PoolModel) -> [Task<Void, Never>] {
        switch pool.files.count > Self.mostFiles ? 60 + dice.number(0...14) : dice.number(0...99) {
        case 0..<38: return [create(in: pool)]
        case 38..<42: return createTwice(in: pool)
        case 42..<46: return createAgainstOutside(in: pool)
        case 46..<50: return cancelled(in: pool)
        case 50..<60: return [rename(in: pool)].compactMap { $0 }
        case 60..<72: return [delete(in: pool)].compactMap { $0 }
        case 72..<75: return deleteAgainstOutside(in: pool)
        case 75..<87: return [resize(in: pool)].compactMap { $0 }
        case 87..<91: return [send(nil) { client in try await Self.job(client, pool.object, Harness.poolInterface, "Refresh") }]
        default:
            outside(in: pool)
            return []
        }
    }

    // MARK: - Calls

    /// Sends one call; what comes of it is noted in the cell.
    private func send(
        _ cell: Cell?, waits: Bool = false, tolerated: Set<String> = [],
        _ body: @escaping @LoopActor (Connection) async throws -> ObjectPath
    ) -> Task<Void, Never> {
        let client = clients[dice.number(0...clients.count - 1)]
        return Task { [self] in
            do {
                let job = try await body(client)
                if waits || job == "/" { cell?.outcome = .done } else { cell?.job = job }
            } catch let error as BusError {
                if Self.death.contains(error.name) { return }
                if cell?.outcome == .open { cell?.outcome = .undone }
                if !tolerated.contains(error.name) { problems.append("\(cell?.what ?? "a call"): \(error)") }
            } catch {
                problems.append("\(cell?.what ?? "a call"): \(error)")
            }
            replied()
        }
    }

    private static func job(
        _ client: Connection, _ object: ObjectPath, _ interface: String, _ member: String, _ options: [String: Variant] = [:]
    ) async throws -> ObjectPath {
        try await client.call(Harness.service, object, interface, member, options, returning: ObjectPath.self)
    }

    private func start(_ pool: PoolModel, _ client: Connection) async throws -> ObjectPath {
        try await Self.job(client, pool.object, Harness.poolInterface, "Start")
    }

    // MARK: - Operations on the bus

    private func create(in pool: PoolModel) -> Task<Void, Never> {
        let (name, facts, options) = newVolume(in: pool)
        let cell = creation(name, facts, options, in: pool)
        return send(cell, waits: options["wait"] != nil) { client in try await Self.create(client, pool, name, facts, options) }
    }

    /// Two under one name: one succeeds at most, and it is the one that stays.
    private func createTwice(in pool: PoolModel) -> [Task<Void, Never>] {
        let (name, facts, options) = newVolume(in: pool)
        let cell = creation(name, facts, options, in: pool)
        return (0..<2).map { turn in
            Task { [self] in
                let contender = Cell(cell.what, cell.operation, pool, name, before: [:], after: [:])
                await send(contender, waits: options["wait"] != nil, tolerated: Self.contention) { client in
                    try await Self.create(client, pool, name, facts, options)
                }.value
                // Of two that fail, one has made it when the other says so.
                if contender.outcome == .done { cell.outcome = .done }
                if let job = contender.job { cell.job = job }
            }
        }
    }

    /// Somebody else makes a file of that name at the same time: it is never replaced and never removed.
    private func createAgainstOutside(in pool: PoolModel) -> [Task<Void, Never>] {
        let (name, facts, options) = newVolume(in: pool)
        contested.insert(pool.volume(name))
        let task = send(
            Cell("create \(name) beside another's", "", pool, name, before: [:], after: [:]), waits: options["wait"] != nil,
            tolerated: Self.contention
        ) { client in try await Self.create(client, pool, name, facts, options) }
        let delay = dice.number(0...12)
        let seed = dice.next()
        return [
            task,
            Task { [self] in
                try? await Task.sleep(for: .milliseconds(delay))
                if let foreign = putFile(name, in: pool, size: 5000, seed: seed) {
                    cells.append(Cell("another's \(name)", "", pool, name, before: [name: foreign], after: [name: foreign]))
                } else {
                    // Cistern was first, so it has it, and has synced it when it said so.
                    cells.append(creation(name, facts, options, in: pool))
                }
            },
        ]
    }

    /// A long allocation, cancelled as soon as it has begun.
    private func cancelled(in pool: PoolModel) -> [Task<Void, Never>] {
        let name = freeName(in: pool)
        let facts = FileFacts(capacity: 64 << 20, reserved: 64 << 20)
        let options: [String: Variant] = ["allocation": .string("full")]
        let cell = creation(name, facts, options, in: pool)
        cell.mayBeCancelled = true
        return [
            send(cell) { client in
                let job = try await Self.create(client, pool, name, facts, options)
                // Too late to cancel is no mistake.
                _ = try? await client.call(Harness.service, job, Harness.jobInterface, "Cancel", [String: Variant]())
                return job
            }
        ]
    }

    private func rename(in pool: PoolModel) -> Task<Void, Never>? {
        guard let (name, facts) = existing(in: pool) else { return nil }
        let new = freeName(in: pool)
        let cell = Cell(
            "rename \(name) to \(new)", "Volume.Rename", pool, name, before: [name: facts, new: absent],
            after: [name: absent, new: facts])
        cells.append(cell)
        return send(cell, waits: true) { client in
            try await client.call(
                Harness.service, pool.volume(name), Harness.volumeInterface, "Rename", new, [String: Variant](), returning: ObjectPath.self)
        }
    }

    private func delete(in pool: PoolModel) -> Task<Void, Never>? {
        guard let (name, facts) = existing(in: pool) else { return nil }
        let cell = Cell("delete \(name)", "Volume.Delete", pool, name, before: [name: facts], after: [name: absent])
        cells.append(cell)
        let options: [String: Variant] = dice.percent(50) ? ["wait": .bool(true)] : [:]
        return send(cell, waits: !options.isEmpty) { client in
            try await Self.job(client, pool.volume(name), Harness.volumeInterface, "Delete", options)
        }
    }

    /// Somebody else renames the file that is being deleted: whoever comes first wins, and the new name is never deleted.
    private func deleteAgainstOutside(in pool: PoolModel) -> [Task<Void, Never>] {
        guard let (name, facts) = existing(in: pool) else { return [] }
        let new = freeName(in: pool)
        let what = "delete \(name) while others rename it to \(new)"
        let deletion = Cell(what, "Volume.Delete", pool, name, before: [name: facts], after: [name: absent])
        let tolerated = Self.contention.union(["org.cistern1.Error.Failed"])
        let task = send(deletion, waits: true, tolerated: tolerated) { client in
            try await Self.job(client, pool.volume(name), Harness.volumeInterface, "Delete", ["wait": .bool(true)])
        }
        let delay = dice.number(0...3)
        return [
            task,
            Task { [self] in
                try? await Task.sleep(for: .milliseconds(delay))
                let moved = Glibc.rename(pool.path(name), pool.path(new)) == 0
                let layout: Layout = [name: absent, new: moved ? facts : absent]
                cells.append(Cell(what, "", pool, name, before: layout, after: layout))
            },
        ]
    }

    private func resize(in pool: PoolModel) -> Task<Void, Never>? {
        guard let (name, facts) = existing(in: pool, resizable: true) else { return nil }
        let shrinks = dice.percent(35) && facts.capacity > 8192
        let allocate = !shrinks && facts.kind == .raw && dice.percent(60)
        let step = UInt64(dice.number(1...(dice.percent(15) ? 8192 : 1024))) * 4096
        let new = shrinks ? max(4096, facts.capacity / 8192 * 4096) : facts.capacity + step
        let cell = Cell(
            "resize \(name) from \(facts.capacity) to \(new)\(allocate ? ", allocated" : "")", "Volume.Resize", pool, name,
            before: [name: facts], after: [name: facts.resized(to: new, allocate: allocate)])
        cells.append(cell)
        var options: [String: Variant] = dice.percent(50) ? ["wait": .bool(true)] : [:]
        let waits = !options.isEmpty
        if shrinks { options["allow-shrink"] = .bool(true) }
        if allocate { options["allocate"] = .bool(true) }
        return send(cell, waits: waits) { [options] client in
            try await client.call(
                Harness.service, pool.volume(name), Harness.volumeInterface, "Resize", new, options, returning: ObjectPath.self)
        }
    }
}
