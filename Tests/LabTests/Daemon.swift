// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Foundation
import Glibc
import Testing

/// A cisternd run by root on the system bus of the guest, with the directories it has on any machine, and a client.
@LoopActor final class Daemon {
    nonisolated static let name = "org.cistern1"
    nonisolated static let manager: ObjectPath = "/org/cistern1"
    private static let directories = ["/etc/cistern", "/var/lib/cistern", "/run/cistern"]
    private static let lastWords = Locked("")

    private struct Process {
        let pid: Int32
        let running: Task<ChildResult, any Error>
    }

    let client: Connection
    /// nil if somebody else runs it.
    private var process: Process?
    /// The service's; 0 if somebody else runs it.
    var pid: Int32 { process?.pid ?? 0 }

    /// One that is run by somebody else, through a client of its own.
    init(of client: Connection) { self.client = client }

    /// Runs a test with a service of its own, and nothing defined.
    ///
    /// - Parameter limit: a test that still runs then waits for something that will not come; the service is ended under it.
    nonisolated static func run(limit: Duration = .seconds(60), _ test: @LoopActor (Daemon) async throws -> Void) async throws {
        Loop.shared.startThread()
        try await runOnLoop(limit, test)
    }

    private static func runOnLoop(_ limit: Duration, _ test: @LoopActor (Daemon) async throws -> Void) async throws {
        let daemon = try await start()
        let alarm = try Loop.shared.timer(after: limit) {
            Issue.record("a test still waits after \(limit)")
            if let process = daemon.process { kill(process.pid, SIGKILL) }
            daemon.client.close()
        }
        defer { alarm.cancel() }
        do {
            try await test(daemon)
            try await daemon.end()
        } catch {
            try? await daemon.end()
            print("The last words of cisternd:\n\(lastWords.withLock { $0.suffix(3000) })")
            throw error
        }
    }

    /// Returns when the service owns its name.
    private static func start() async throws -> Daemon {
        let client = try Connection.open(.system, description: "test")
        try await allow(client)
        let daemon = Daemon(of: client)
        daemon.process = try await launch()
        return daemon
    }

    private static func launch() async throws -> Process {
        let (pids, found) = AsyncStream.makeStream(of: Int32.self)
        let running = Task {
            defer { found.finish() }
            let result = try await Child.run(built("cisternd"), ["--log-level", "debug"], deadline: .seconds(120)) { found.yield($0) }
            lastWords.withLock { $0 = result.complaint }
            return result
        }
        guard let pid = await pids.first() else { throw Guest.Failure("cisternd could not be started") }
        do {
            try await Guest.run("gdbus", "wait", "--system", "--timeout", "20", name)
        } catch {
            kill(pid, SIGKILL)
            _ = try? await running.value
            throw Guest.Failure("cisternd did not come up: \(lastWords.withLock { $0 })")
        }
        return Process(pid: pid, running: running)
    }

    /// Ends the service, does something, and starts it again; the machine stays as it is.
    func restart(_ meanwhile: () async throws -> Void) async throws {
        _ = try await terminate()
        try await meanwhile()
        process = try await Self.launch()
    }

    private func terminate() async throws -> ChildResult {
        guard let process else { throw Guest.Failure("this test does not run the service") }
        kill(process.pid, SIGTERM)
        return try await process.running.value
    }

    /// Returns when a pool has this state; the reason for it.
    @discardableResult func becomes(_ state: String, _ pool: ObjectPath) async throws -> String {
        let changes = try await client.signals(path: pool, member: "PropertiesChanged")
        var now = try await properties(pool, "Pool")
        if now["State"]?.text == state { return now["StateReason"]?.text ?? "" }
        for await change in changes {
            now.merge(change.body[1].dictionary ?? [:]) { $1 }
            if now["State"]?.text == state { break }
        }
        return now["StateReason"]?.text ?? ""
    }

    /// Waits until the properties of a job, as its signals tell them, are what is wanted.
    func wait(for job: ObjectPath, _ isEnough: ([String: Variant]) -> Bool) async throws {
        let signals = try await client.signals(path: job, member: "PropertiesChanged")
        if isEnough(try await properties(job, "Job")) { return }
        for await signal in signals where isEnough(signal.body[1].dictionary ?? [:]) { return }
    }

    /// Waits for the end of a job, however it ends; its properties then.
    func end(of job: ObjectPath) async throws -> [String: Variant] {
        _ = try? await call(job, "Job", "Wait", [String: Variant](), returning: [String: Variant].self)
        return try await properties(job, "Job")
    }

    /// Has the bus let root own the name: by the policy that is installed with the service.
    private static func allow(_ client: Connection) async throws {
        let policy = "/etc/dbus-1/system.d/org.cistern1.conf"
        guard access(policy, F_OK) != 0 else { return }
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        try await Guest.run("cp", root.path + "/dbus/org.cistern1.conf", policy)
        try await client.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig")
    }

    /// A program of this build: it lies beside the bundle of the tests.
    private static func built(_ name: String) -> String {
        URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent().path + "/" + name
    }

    private func end() async throws {
        let result = try await terminate()
        client.close()
        #expect(result.succeeded, "cisternd ended with status \(result.status), signal \(result.signal): \(result.complaint.suffix(1000))")
        for directory in Self.directories { try await Guest.run("rm", "-rf", directory) }
    }

    // MARK: - Calls

    func call<each In: DBusType, each Out: DBusType>(
        _ path: ObjectPath, _ interface: String, _ member: String, _ arguments: repeat each In, returning: repeat (each Out).Type
    ) async throws -> (repeat each Out) {
        try await client.call(
            Self.name, path, "org.cistern1." + interface, member, repeat each arguments, returning: repeat (each Out).self,
            timeout: .seconds(60))
    }

    func properties(_ path: ObjectPath, _ interface: String) async throws -> [String: Variant] {
        try await client.call(
            Self.name, path, "org.freedesktop.DBus.Properties", "GetAll", "org.cistern1." + interface, returning: [String: Variant].self)
    }

    /// A `dir` pool that has been started.
    func startedPool(_ name: String, at directory: String) async throws -> ObjectPath {
        let pool = try await call(
            Self.manager, "Manager", "DefinePool", name, "dir", ["target.path": Variant.string(directory)], [String: Variant](),
            returning: ObjectPath.self)
        try await perform(pool, "Pool", "Start")
        return pool
    }

    /// Calls a method that makes a job, and waits for the end of that.
    func perform(_ path: ObjectPath, _ interface: String, _ member: String, _ options: [String: Variant] = [:]) async throws {
        _ = try await call(path, interface, member, options.merging(["wait": .bool(true)]) { $1 }, returning: ObjectPath.self)
    }

    func create(_ pool: ObjectPath, _ name: String, _ capacity: UInt64, _ options: [String: Variant]) async throws -> (
        volume: ObjectPath, job: ObjectPath
    ) {
        let (volume, job) = try await call(
            pool, "Pool", "CreateVolume", name, capacity, options, returning: ObjectPath.self, ObjectPath.self)
        return (volume, job)
    }

    /// The names of a pool's volumes that can be used.
    func volumes(of pool: ObjectPath) async throws -> Set<String> {
        let (volumes, _) = try await call(
            Self.manager, "Manager", "ListVolumes", ["Pool": Variant.path(pool), "State": .string("ready")],
            ["fields": Variant.strings(["Name"])], returning: [Struct<ObjectPath, [String: Variant]>].self, String.self)
        return Set(volumes.compactMap { $0.values.1["Name"]?.text })
    }
}
