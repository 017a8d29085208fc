// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc

/// What must be true when the daemon is back.
extension Torture {
    /// Operations whose jobs a crash must not lose.
    private static let kept: Set<String> = [
        "Pool.CreateVolume", "Volume.Delete", "Volume.Resize", "Volume.Rename", "Pool.Build", "Pool.CloneVolume",
    ]

    func check() async throws {
        for pool in pools { try await harness.becomes("active", pool.object) }
        for pool in pools {
            let left = entries(pool.directory).filter { $0.hasPrefix(".cistern-") }
            if !left.isEmpty { problems.append("\(pool.name) is active, and \(left) are left") }
        }
        try await checkJobs()
        settleByJobs()
        for cell in cells { settle(cell) }
        guard problems.isEmpty else { return }
        for pool in pools {
            checkFiles(of: pool)
            try await checkList(of: pool)
        }
        try await checkImages()
        try await checkCrowd()
        await checkChildren("after the restart")
    }

    // MARK: - Jobs

    /// Each job that was announced has ended, or comes back and ends.
    private func checkJobs() async throws {
        for (path, job) in observer.unfinished.sorted(by: { $0.key < $1.key }) {
            guard Self.kept.contains(job.operation) else {
                if job.life < observer.life { observer.ended(path, "not kept", "") }
                continue
            }
            _ = try? await harness.call(path, Harness.jobInterface, "Wait", [String: Variant](), returning: [String: Variant].self)
            guard let properties = try? await harness.properties(path, Harness.jobInterface) else {
                problems.append("\(path) (\(job.operation) on \(job.objects.first ?? "/")) was announced, and is unknown after the crash")
                observer.ended(path, "lost", "")
                continue
            }
            let state = properties["State"]?.text ?? ""
            let error = properties["Error"]?.text ?? ""
            // Whoever came too late for a name may have been told so, and have noted it, when the daemon died.
            let cameLate = error == "org.cistern1.Error.Exists" && !contested.isDisjoint(with: job.objects)
            if state == "failed", error != "org.cistern1.Error.Interrupted", !cameLate {
                problems.append("\(path) (\(job.operation)) failed with \(error): \(properties["ErrorMessage"]?.text ?? "")")
            } else if !["completed", "failed", "cancelled"].contains(state) {
                problems.append("\(path) (\(job.operation)) is \(state) after its end")
            }
            observer.ended(path, state, error)
            for cell in cells where cell.outcome == .open && isOf(cell, job) {
                cell.outcome = state == "completed" ? .done : .undone
            }
        }
        try await checkResults()
    }

    /// What was told of a job before is still true of those that came back.
    private func checkResults() async throws {
        for path in try await harness.managed("/org/cistern1/jobs").keys {
            _ = try? await harness.call(path, Harness.jobInterface, "Wait", [String: Variant](), returning: [String: Variant].self)
        }
        try await observer.catchUp()
        for (path, interfaces) in try await harness.managed("/org/cistern1/jobs") {
            guard let state = interfaces[Harness.jobInterface]?["State"]?.text, let ended = observer.jobs[path]?.ended else { continue }
            if ended != "not kept", ended != "lost", state != ended { problems.append("\(path) was \(ended), and is \(state)") }
        }
    }

    // MARK: - Files

    private func settle(_ cell: Cell) {
        let (layout, problem) = cell.settled()
        guard let layout else { return problems.append(problem) }
        for (name, facts) in layout { cell.pool.files[name] = facts }
    }

    /// Nothing is there but what must be, and that is as it must be.
    private func checkFiles(of pool: PoolModel) {
        for (name, facts) in pool.files.sorted(by: { $0.key < $1.key }) {
            if let difference = facts.difference(at: pool.path(name)) { problems.append("\(name) in \(pool.name) \(difference)") }
        }
        for name in entries(pool.directory) where pool.files[name] == nil {
            problems.append("\(name) is in \(pool.name), and nobody made it")
        }
    }

    /// What changed is sound by qemu-img's word. A resize that was killed may have cost clusters, but no data.
    private func checkImages() async throws {
        for cell in cells {
            for (name, facts) in cell.after where facts?.kind == .qcow2 && cell.pool.files[name]?.kind == .qcow2 {
                let checked = try await harness.tool("qemu-img", "check", "-f", "qcow2", cell.pool.path(name))
                let hasLeaks = checked.status == 3 && checked.signal == 0
                if checked.succeeded || hasLeaks && cell.operation == "Volume.Resize" && cell.outcome != .done { continue }
                problems.append(
                    "\(cell.what) in \(cell.pool.name) [\(cell.outcome)]: \(checked.text.prefix(300)) \(checked.complaint.prefix(300))")
            }
        }
    }

    // MARK: - The bus

    /// The list on the bus is the directory's. What others did meanwhile may take a moment.
    private func checkList(of pool: PoolModel) async throws {
        let deadline = ContinuousClock.now + .seconds(5)
        while let difference = try await listDifference(of: pool) {
            if ContinuousClock.now > deadline {
                problems.append("the list of \(pool.name) is not its directory's: \(difference)")
                return
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    private func listDifference(of pool: PoolModel) async throws -> String? {
        let listed = try await list(pool)
        let names = Set(listed.keys)
        let missing = Set(pool.files.keys).subtracting(names).sorted()
        let added = names.subtracting(pool.files.keys).sorted()
        if !missing.isEmpty || !added.isEmpty { return "\(missing) are missing, \(added) are too many" }
        for (name, facts) in pool.files {
            if listed[name]?["Capacity"] != .uint64(facts.capacity) {
                return "\(name) has \(String(describing: listed[name]?["Capacity"])) bytes, not \(facts.capacity)"
            }
            if listed[name]?["State"] != .string("ready") { return "\(name) is \(String(describing: listed[name]?["State"]))" }
            if facts.kind == .qcow2, listed[name]?["Format"] != .string("qcow2") { return "\(name) is no qcow2" }
        }
        return nil
    }

    private func list(_ pool: PoolModel) async throws -> [String: [String: Variant]] {
        var found: [String: [String: Variant]] = [:]
        var after = ""
        repeat {
            let (page, next) = try await harness.call(
                Harness.manager, Harness.managerInterface, "ListVolumes", ["Pool": Variant.path(pool.object)],
                ["after": Variant.string(after), "fields": .strings(["Name", "Capacity", "State", "Format"])],
                returning: [Struct<ObjectPath, [String: Variant]>].self, String.self)
            for volume in page {
                let name = volume.values.1["Name"]?.text ?? ""
                if found.updateValue(volume.values.1, forKey: name) != nil { problems.append("\(name) is listed twice") }
            }
            after = next
        } while !after.isEmpty
        return found
    }

    /// A pool that was being started is active, whole, and can be stopped.
    private func checkCrowd() async throws {
        let state = try await harness.property(crowd.object, Harness.poolInterface, "State", as: String.self)
        if state == "inactive" { return }
        try await harness.becomes("active", crowd.object)
        let names = try await list(crowd).keys
        if Set(names) != Set(entries(crowd.directory)) { problems.append("of the crowd \(names.count) are listed") }
        _ = try await harness.job(crowd.object, "Stop", ["wait": .bool(true)])
    }

    // MARK: - Processes

    /// No program that the daemon ran has anything of ours open.
    func checkChildren(_ when: String) async {
        let deadline = ContinuousClock.now + .seconds(2)
        while true {
            let orphans = strangers()
            if orphans.isEmpty { return }
            if ContinuousClock.now > deadline { return problems.append("\(when) there are still \(orphans)") }
            try? await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Processes that have a file below our directory open, beside those that may.
    private func strangers() -> [String] {
        var found: [String] = []
        for process in entries("/proc") {
            guard let pid = Int32(process), pid != getpid(), pid != harness.pid else { continue }
            let command = readFile("/proc/\(pid)/cmdline").split(separator: "\0").prefix(3).joined(separator: " ")
            if command.isEmpty || command.contains("bindfs") || command.contains("dbus-daemon") { continue }
            if command.contains("cisternd"), command.contains(harness.address) { continue }
            let holds =
                command.contains(harness.root)
                || entries("/proc/\(pid)/fd").contains { link("/proc/\(pid)/fd/\($0)", isBelow: harness.root) }
            if holds { found.append("\(pid) \(command)") }
        }
        return found
    }

    private func link(_ path: String, isBelow directory: String) -> Bool {
        var target = [UInt8](repeating: 0, count: 4096)
        let count = target.withUnsafeMutableBytes { buffer in
            buffer.baseAddress.map { readlink(path, $0, buffer.count) } ?? -1
        }
        return count > 0 && String(decoding: target.prefix(count), as: UTF8.self).hasPrefix(directory)
    }
}
