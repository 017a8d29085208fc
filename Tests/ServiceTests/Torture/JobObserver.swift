// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop

/// Follows all jobs, over all lives of the daemon.
@LoopActor final class JobObserver {
    struct Seen {
        let operation: String
        let startTime: UInt64
        let objects: [ObjectPath]
        /// Life of the daemon in which it was announced last.
        var life: Int
        /// The state it ended with.
        var ended: String?
        var error = ""

        var number: UInt64 = 0
    }

    private let connection: Connection
    private(set) var jobs: [ObjectPath: Seen] = [:]
    private(set) var largest: UInt64 = 0
    /// Which of the daemon's lives this is.
    var life = 0
    var problems: [String] = []
    private var marks: UInt64 = 0
    private var reached: UInt64 = 0
    private var waiting: CheckedContinuation<Void, Never>?
    private var task: Task<Void, Never>?

    init(_ connection: Connection) async throws {
        self.connection = connection
        let signals = try await connection.signals(pathNamespace: "/org/cistern1/jobs")
        task = Task { [weak self] in
            for await signal in signals { self?.handle(signal) }
        }
    }

    func stop() { task?.cancel() }

    /// Returns when everything has been seen that was on the bus when this was called.
    func catchUp() async throws {
        marks += 1
        try connection.emit("/org/cistern1/jobs", "org.test", "Mark", marks)
        while reached < marks { await withCheckedContinuation { waiting = $0 } }
    }

    /// Those that were announced and whose end nobody has seen.
    var unfinished: [ObjectPath: Seen] { jobs.filter { $0.value.ended == nil } }

    func ended(_ job: ObjectPath, _ state: String, _ error: String) {
        if let before = jobs[job]?.ended, before != state { problems.append("\(job) was \(before), and is \(state)") }
        jobs[job]?.ended = state
        jobs[job]?.error = error
    }

    private func handle(_ signal: ReceivedSignal) {
        if signal.interface == "org.test" {
            reached = signal.body.first?.unsigned ?? reached
            waiting?.resume()
            waiting = nil
        } else if signal.member == "InterfacesAdded", let path = signal.body.first?.path, case .dictionary(_, _, let added) = signal.body[1]
        {
            for entry in added where entry.key == .string(Harness.jobInterface) { announced(path, entry.value.dictionary ?? [:]) }
        } else if signal.member == "PropertiesChanged", let changed = signal.body[1].dictionary, let state = changed["State"]?.text,
            ["completed", "failed", "cancelled"].contains(state)
        {
            ended(signal.path, state, changed["Error"]?.text ?? "")
        }
    }

    private func announced(_ path: ObjectPath, _ properties: [String: Variant]) {
        var new = Seen(
            operation: properties["Operation"]?.text ?? "", startTime: properties["StartTime"]?.unsigned ?? 0,
            objects: properties["Objects"]?.paths ?? [], life: life)
        new.number = ObjectPath.decode(path, below: "/org/cistern1/jobs").flatMap { UInt64($0) } ?? 0
        if let old = jobs[path] {
            if old.life == life || old.operation != new.operation || old.startTime != new.startTime {
                problems.append("number \(new.number) of \(old.operation) is used again, for \(new.operation)")
            }
            new.ended = old.ended
            new.error = old.error
        }
        largest = max(largest, new.number)
        jobs[path] = new
    }
}
