// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import TestSupport
import Testing

/// A private bus, a real cisternd on it with directories of its own, and a client.
@LoopActor final class Harness {
    let root: String
    let bus: PrivateBus
    private(set) var client: Connection
    private(set) var pid: Int32 = 0
    private var running: Task<ChildResult, any Error>?
    let arguments: [String]

    private static let lastWords = Locked("")
    static let service = "org.cistern1"
    static let manager: ObjectPath = "/org/cistern1"
    static let managerInterface = "org.cistern1.Manager"
    static let poolInterface = "org.cistern1.Pool"
    static let volumeInterface = "org.cistern1.Volume"
    static let jobInterface = "org.cistern1.Job"

    /// Runs a test against a daemon of its own; everything is gone afterwards.
    ///
    /// - Parameter limit: a test that still runs then waits for something that will not come. It has failed, and its bus is taken away,
    ///   which ends most waits.
    nonisolated static func run(
        simulate: Bool = false, start: Bool = true, limit: Duration = .seconds(300), _ test: @LoopActor (Harness) async throws -> Void
    ) async throws {
        Loop.shared.startThread()
        try await runOnLoop(simulate, start, limit, test)
    }

    private static func runOnLoop(
        _ simulate: Bool, _ start: Bool, _ limit: Duration, _ test: @LoopActor (Harness) async throws -> Void
    ) async throws {
        // One daemon at a time: several of these tests measure time.
        await enter()
        defer { leave() }
        let harness = try await Harness(simulate: simulate)
        let alarm = try Loop.shared.timer(after: limit) {
            Issue.record("a test still waits after \(limit); the daemon said: \(lastWords.withLock { $0 })")
            harness.client.close()
            harness.bus.stop()
        }
        defer { alarm.cancel() }
        do {
            if start { try await harness.startDaemon() }
            try await test(harness)
            await harness.end()
        } catch {
            await harness.end()
            throw error
        }
    }

    private static var isTaken = false
    private static var waiting: [CheckedContinuation<Void, Never>] = []

    private static func enter() async {
        if isTaken { await withCheckedContinuation { waiting.append($0) } }
        isTaken = true
    }

    private static func leave() {
        isTaken = !waiting.isEmpty
        if isTaken { waiting.removeFirst().resume() }
    }

    private init(simulate: Bool) async throws {
        root = try makeTemporaryDirectory()
        bus = try await PrivateBus.start()
        client = try Connection.open(.custom(bus.address), description: "test")
        arguments =
            [
                "--bus", bus.address, "--config-directory", root + "/etc", "--state-directory", root + "/var", "--runtime-directory",
                root + "/run", "--log-level", "debug",
            ] + (simulate ? ["--simulate"] : [])
    }

    private func end() async {
        await kill(SIGKILL)
        client.close()
        bus.stop()
        removeTree(root)
    }

    /// Where the bus is.
    var address: String { bus.address }

    // MARK: - The daemon

    /// Starts cisternd and returns when it owns its name; the time that took.
    @discardableResult func startDaemon(
        program: String = builtProgram("cisternd"), as user: UInt32? = nil, arguments: [String]? = nil
    ) async throws -> Duration {
        let arguments = arguments ?? self.arguments
        let owners = try await client.signals(path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus", member: "NameOwnerChanged")
        let began = ContinuousClock.now
        let command =
            user.map { ["setpriv", "--reuid=\($0)", "--regid=\($0)", "--clear-groups", program] + arguments } ?? [program] + arguments
        let (pids, pidFound) = AsyncStream.makeStream(of: Int32.self)
        let path = command[0].contains("/") ? command[0] : "/usr/bin/" + command[0]
        running = Task {
            defer { pidFound.finish() }
            return try await Child.run(path, Array(command.dropFirst()), environment: ["HOME": root], deadline: .seconds(900)) {
                pidFound.yield($0)
            }
        }
        for await found in pids {
            pid = found
            break
        }
        let ended = running
        let (states, report) = AsyncStream.makeStream(of: Bool.self)
        let watcher = Task { @LoopActor in
            for await signal in owners where signal.body.first?.text == Self.service && signal.body.last?.text != "" { report.yield(true) }
        }
        let reaper = Task {
            let result = try? await ended?.value
            if let result { Self.lastWords.withLock { $0 = result.complaint } }
            report.yield(false)
        }
        defer {
            watcher.cancel()
            reaper.cancel()
        }
        for await isUp in states {
            if isUp { return ContinuousClock.now - began }
            break
        }
        throw BusError.failed("cisternd did not come up: \(Self.lastWords.withLock { $0 })")
    }

    /// Ends the daemon with a signal and waits for its end.
    @discardableResult func kill(_ signal: Int32) async -> ChildResult? {
        guard pid > 0 else { return nil }
        Glibc.kill(pid, signal)
        let result = try? await running?.value
        pid = 0
        return result
    }

    func restart() async throws {
        await kill(SIGTERM)
        try await startDaemon()
    }

    // MARK: - Calls

    func call<each In: DBusType, each Out: DBusType>(
        _ path: ObjectPath, _ interface: String, _ member: String, _ arguments: repeat each In, returning: repeat (each Out).Type
    ) async throws -> (repeat each Out) {
        try await client.call(
            Self.service, path, interface, member, repeat each arguments, returning: repeat (each Out).self, timeout: .seconds(120))
    }

    func property<T: DBusType>(_ path: ObjectPath, _ interface: String, _ name: String, as type: T.Type) async throws -> T {
        let reply = try await client.call(
            Self.service, path, "org.freedesktop.DBus.Properties", "Get", dynamic: [.string(interface), .string(name)])
        guard case .variant(let value)? = reply.first else { throw BusError.failed("no variant") }
        switch value {
        case .string(let value as T): return value
        case .uint64(let value as T): return value
        case .uint32(let value as T): return value
        case .bool(let value as T): return value
        case .double(let value as T): return value
        case .path(let value as T): return value
        default: throw BusError.failed("\(name) is \(value)")
        }
    }

    func properties(_ path: ObjectPath, _ interface: String) async throws -> [String: Variant] {
        try await call(path, "org.freedesktop.DBus.Properties", "GetAll", interface, returning: [String: Variant].self)
    }

    func managed(_ path: ObjectPath) async throws -> [ObjectPath: [String: [String: Variant]]] {
        try await call(
            path, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", returning: [ObjectPath: [String: [String: Variant]]].self)
    }

    // MARK: - Shorthand

    /// Defines a `dir` pool on a new directory and starts it.
    func startedPool(_ name: String = "p", directory: String? = nil) async throws -> (pool: ObjectPath, directory: String) {
        let directory = directory ?? root + "/" + name
        mkdir(directory, 0o755)
        let pool = try await define(name, directory)
        _ = try await call(pool, Self.poolInterface, "Start", ["wait": Variant.bool(true)], returning: ObjectPath.self)
        return (pool, directory)
    }

    func define(_ name: String, _ directory: String, _ options: [String: Variant] = [:]) async throws -> ObjectPath {
        try await call(
            Self.manager, Self.managerInterface, "DefinePool", name, "dir", ["target.path": Variant.string(directory)], options,
            returning: ObjectPath.self)
    }

    func create(_ pool: ObjectPath, _ name: String, _ capacity: UInt64, _ options: [String: Variant] = [:]) async throws -> (
        volume: ObjectPath, job: ObjectPath
    ) {
        let (volume, job) = try await call(
            pool, Self.poolInterface, "CreateVolume", name, capacity, options, returning: ObjectPath.self, ObjectPath.self)
        return (volume, job)
    }

    func job(_ path: ObjectPath, _ member: String, _ options: [String: Variant] = [:]) async throws -> ObjectPath {
        try await call(
            path, path.description.contains("/volumes/") ? Self.volumeInterface : Self.poolInterface, member, options,
            returning: ObjectPath.self)
    }

    /// Waits for the end of a job and answers its state.
    func outcome(of job: ObjectPath) async throws -> String {
        _ = try? await call(job, Self.jobInterface, "Wait", [String: Variant](), returning: [String: Variant].self)
        return try await property(job, Self.jobInterface, "State", as: String.self)
    }

    /// Everything the daemon says on the bus, in order, from now on.
    func allSignals() async throws -> AsyncStream<ReceivedSignal> {
        try await client.signals(pathNamespace: "/org/cistern1")
    }

    func tool(_ program: String, _ arguments: String...) async throws -> ChildResult {
        try await Child.run(program, arguments, environment: ["DBUS_SYSTEM_BUS_ADDRESS": bus.address], deadline: .seconds(60))
    }
}

/// Expects a D-Bus error with that name (short names are org.cistern1.Error's).
@LoopActor func expectError(_ name: String, _ body: @LoopActor () async throws -> Void, _ location: SourceLocation = #_sourceLocation) async
{
    let full = name.contains(".") ? name : "org.cistern1.Error." + name
    do {
        try await body()
        Issue.record("\(full) was expected, and nothing was thrown", sourceLocation: location)
    } catch let error as BusError {
        #expect(error.name == full, "\(error.message)", sourceLocation: location)
        #expect(!error.message.isEmpty, sourceLocation: location)
    } catch {
        Issue.record("\(error)", sourceLocation: location)
    }
}

let invalidArgs = "org.freedesktop.DBus.Error.InvalidArgs"
let accessDenied = "org.freedesktop.DBus.Error.AccessDenied"

// MARK: - Files

func makeTemporaryDirectory() throws -> String {
    var template = Array("\(getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp")/cistern-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw BusError.failed("no temporary directory") }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    chmod(path, 0o755)
    return path
}

func removeTree(_ path: String) {
    for entry in entries(path) {
        let child = path + "/" + entry
        if fileStatus(child).map({ $0.st_mode & S_IFMT }) == S_IFDIR { removeTree(child) } else { unlink(child) }
    }
    rmdir(path)
}

func entries(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name.0) { String(cString: $0) }
        if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
}

func fileStatus(_ path: String) -> stat? {
    var status = stat()
    return lstat(path, &status) == 0 ? status : nil
}

/// Writes a file and closes it.
func writeFile(_ path: String, _ bytes: [UInt8] = [1, 2, 3]) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    var rest = bytes[...]
    while !rest.isEmpty {
        let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if written <= 0 { break }
        rest = rest.dropFirst(written)
    }
    close(descriptor)
}

/// Runs a program, for what decides whether a test can run at all.
func succeeds(_ program: String, _ arguments: String...) -> Bool { succeeds(program, arguments) }

func succeeds(_ program: String, _ arguments: [String]) -> Bool {
    var pid: pid_t = 0
    var texts: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for text in texts { free(text) } }
    guard posix_spawnp(&pid, program, nil, nil, &texts, environ) == 0 else { return false }
    var status: Int32 = 0
    waitpid(pid, &status, 0)
    return status == 0
}

/// A program of this build: it lies beside the bundle that this code is in.
func builtProgram(_ name: String) -> String {
    let maps = readFile("/proc/self/maps")
    for line in maps.split(separator: "\n") where line.hasSuffix("PackageTests.xctest") {
        guard let start = line.firstIndex(of: "/"), let end = line.lastIndex(of: "/") else { continue }
        return line[start..<end] + "/" + name
    }
    return name
}

func readFile(_ path: String) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count <= 0 { break }
        bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
}
