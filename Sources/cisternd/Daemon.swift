// SPDX-License-Identifier: LGPL-2.1-or-later
import Backends
import Bus
import Cistern
import EventLoop
import Glibc
import Logging
import Service

/// Puts the parts together, runs them, stops them.
@LoopActor final class Daemon {
    private let options: Options
    private let logger: Logger
    private let workers = Workers()
    private var engine: Engine?
    private var connection: Connection?
    private var face: Face?
    private var signals: [Source] = []
    private var stopping = false

    init(_ options: Options) {
        self.options = options
        logger = Logger(label: "cisternd") { _ in JournalHandler() }
    }

    /// Serves until a signal ends it; what cannot be started ends the process with 1.
    func start() async {
        do {
            try await run()
        } catch {
            logger.error("cisternd cannot start: \(error)")
            Loop.shared.stop(code: 1)
        }
    }

    private func run() async throws {
        for number in [SIGTERM, SIGINT] {
            signals.append(try Loop.shared.onSignal(number) { Task { @LoopActor [weak self] in await self?.stop() } })
        }
        let workers = workers
        // The disk and the bus are waited for at the same time.
        async let opening = Self.openEngine(options, workers)
        let connection = try Connection.open(options.bus, description: "cisternd")
        self.connection = connection
        connection.onDisconnect = { [weak self] in self?.lostBus() }
        let engine = try await opening
        self.engine = engine
        let face = Face(
            engine, on: connection, ownUID: geteuid(), version: Program.version, logger: logger,
            secretReader: Self.secretReader(workers.lane("secrets")),
            statistics: {
                let statistics = workers.statistics
                return ["worker-threads": UInt64(statistics.threads), "workers-written-off": UInt64(statistics.writtenOff)]
            })
        self.face = face
        face.exportLogControl(
            level: { JournalHandler.level.withLock { $0.systemdName } },
            setLevel: { name in
                guard let level = Logger.Level(systemdName: name) else { return false }
                JournalHandler.level.withLock { $0 = level }
                return true
            }, target: ServiceManager.isJournalStream ? "journal" : "console")
        // Interrupted jobs are back, under their numbers, before anybody can ask for them.
        await engine.begin()
        await face.catchUp()
        try await connection.requestName(Face.busName)
        try Loop.shared.keepWatchdog()
        logger.info("cisternd \(Program.version) serves \(Face.busName)")
        ServiceManager.notify("READY=1")
        face.onSummary { ServiceManager.notify("STATUS=\($0)") }
    }

    /// The engine, with what is on disk in it.
    private nonisolated static func openEngine(_ options: Options, _ workers: Workers) async throws -> Engine {
        let lane = workers.lane("state")
        async let opening = DefinitionDirectory.open(
            configuration: options.configurationDirectory, runtime: options.runtimeDirectory, lane: lane)
        let journal = try await JobDirectory.open(state: options.stateDirectory, lane: lane)
        let owner = try await Installation.name(state: options.stateDirectory, lane: lane)
        let engine = Engine(
            types: BackendTable.types(workers: workers, owner: owner, simulate: options.simulate), definitions: try await opening,
            journal: journal, environment: Environment(now: now, sleep: { try? await workers.sleep(for: $0) }))
        try await engine.open()
        return engine
    }

    /// Refuses nothing that is asked meanwhile, but ends all jobs and then the process.
    private func stop() async {
        if stopping { return }
        stopping = true
        logger.info("cisternd stops")
        // Until jobs have been undone, of which the end waits for those that can be.
        ServiceManager.notify("STOPPING=1\nSTATUS=Ending jobs\nEXTEND_TIMEOUT_USEC=30000000")
        let ended = Task { await engine?.shutDown() }
        // A job on a hung file system must not hold up the end: what it made is undone at the next start.
        let limit = Task { @LoopActor [workers] in
            try? await workers.sleep(for: .seconds(5))
            if !Task.isCancelled { Loop.shared.stop() }
        }
        await ended.value
        limit.cancel()
        await face?.catchUp()
        connection?.flush()
        connection?.close()
        Loop.shared.stop()
    }

    private func lostBus() {
        if stopping { return }
        logger.error("cisternd lost its connection to the bus and ends; its pools stay as they are")
        Loop.shared.stop(code: 1)
    }

    /// Reads secrets on a lane of their own: a caller who never writes holds up nobody but those who give secrets, and not for long.
    private static func secretReader(_ lane: Lane) -> @Sendable (UnixDescriptor) async throws -> [UInt8] {
        { descriptor in
            try await lane.run(deadline: .seconds(10)) {
                var bytes: [UInt8] = []
                var piece = [UInt8](repeating: 0, count: 4096)
                var waiting = pollfd(fd: descriptor.descriptor, events: Int16(POLLIN), revents: 0)
                while bytes.count <= Secret.limit {
                    if poll(&waiting, 1, 5000) == 0 { throw LoopError("read the descriptor", code: ETIMEDOUT) }
                    let count = read(descriptor.descriptor, &piece, piece.count)
                    if count < 0 && errno == EINTR { continue }
                    if count < 0 { throw LoopError("read the descriptor", code: errno) }
                    if count == 0 { break }
                    bytes += piece.prefix(count)
                }
                return bytes
            }
        }
    }

    /// Microseconds since the epoch.
    private nonisolated static let now: @Sendable () -> UInt64 = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
    }
}
