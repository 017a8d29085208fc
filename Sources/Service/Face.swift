// SPDX-License-Identifier: LGPL-2.1-or-later
public import Bus
public import Cistern
public import EventLoop
public import Logging

/// The engine as the bus sees it: objects, methods, signals. Translates, decides nothing.
@LoopActor public final class Face {
    let engine: Engine
    let connection: Connection
    let authority: Authority
    let version: String
    let statistics: @Sendable () -> [String: UInt64]
    let secretReader: @Sendable (UnixDescriptor) async throws -> [UInt8]
    private(set) var server: ObjectServer
    private(set) var publisher: Publisher

    /// The name that clients talk to.
    public nonisolated static let busName = "org.cistern1"

    /// Exports everything on the connection; the name is not requested yet.
    ///
    /// - Parameters:
    ///   - ownUID: the user that the service runs as, who may do what root may.
    ///   - secretReader: reads what a caller wrote to a descriptor, somewhere where reading may wait; a little more than
    ///     ``Secret/limit`` bytes at most.
    ///   - statistics: more numbers about the process, for `GetStatistics`.
    public init(
        _ engine: Engine, on connection: Connection, ownUID: UInt32, version: String, logger: Logger,
        secretReader: @escaping @Sendable (UnixDescriptor) async throws -> [UInt8],
        statistics: @escaping @Sendable () -> [String: UInt64] = { [:] }
    ) {
        let authority = Authority(connection, ownUID: ownUID)
        let audit = Audit(logger: logger)
        self.engine = engine
        self.connection = connection
        self.authority = authority
        self.version = version
        self.statistics = statistics
        self.secretReader = secretReader
        server = ObjectServer(
            connection,
            authorize: { call, action, object in try await authority.require(action, of: call, about: object) },
            ended: { call, object, error in
                if !call.isLeftToJob { Task { @LoopActor in await audit.record(call, about: object, error) } }
            },
            describe: { error in
                switch error {
                case let error as BusError: error
                case let error as StorageError: BusError(error)
                default: BusError.failed("The service met an error that it has no name for: \(error).")
                }
            })
        publisher = Publisher(engine.events, server, logger: logger, audit: audit)
        publisher.face = self
        server.addManager(at: Paths.pools, hint: "read the pools one by one")
        server.addManager(at: Paths.jobs, hint: "read the jobs one by one")
        server.export(ManagerObject(face: self), at: Paths.manager, [Interfaces.manager])
        publisher.start()
    }

    /// Exports `org.freedesktop.LogControl1`.
    ///
    /// - Parameter setLevel: takes a syslog name ("info", "debug"); false if it knows none such.
    public func exportLogControl(
        level: @escaping @LoopActor () -> String, setLevel: @escaping @LoopActor (String) -> Bool, target: String
    ) {
        let control = LogControl(
            identifier: "cisternd", level: level,
            setLevel: { name in
                if !setLevel(name) {
                    throw StorageError(.invalidArguments, "There is no log level “\(name)”; choose debug, info, notice, warning or err.")
                }
            },
            target: { target },
            setTarget: { name in
                if name != target { throw StorageError(.notSupported, "Messages go to the \(target); the target cannot be changed.") }
            })
        server.export(control, allow: .needs(.logControl))
    }

    /// Has a listener told in a few words what the service has and does, now and whenever that changes.
    public func onSummary(_ listener: @escaping @LoopActor (String) -> Void) {
        publisher.onSummary = listener
        publisher.summarize()
    }

    /// Waits until everything that has happened so far is on the bus.
    public func catchUp() async { await publisher.catchUp() }

    // MARK: - For the objects

    /// What is on the bus there; the manager, where it says `/`.
    func object(at path: ObjectPath) -> (any Sendable)? {
        server.object(at: path, as: PoolObject.self) ?? server.object(at: path, as: VolumeObject.self)
            ?? server.object(at: path, as: JobObject.self)
            ?? server.object(at: path == Paths.none ? Paths.manager : path, as: ManagerObject.self)
    }

    /// Who makes the current call.
    func caller() async throws -> UInt32 {
        guard let call = Call.current else { return authority.ownUID }
        return try await call.uid()
    }

    /// Refuses unless the caller of the current call may do that to the object.
    func require(_ action: Action, about object: any Sendable) async throws {
        guard let call = Call.current else { return }
        try await authority.require(action.id, of: call, about: object)
    }

    /// What the caller wrote to the descriptor.
    func readSecret(_ descriptor: UnixDescriptor) async throws -> [UInt8] {
        do { return try await secretReader(descriptor) } catch {
            throw StorageError(.invalidArguments, "The passphrase could not be read from its descriptor: \(error).")
        }
    }

    /// Answers a call that may have made a job: at once, or with option `wait` when the job has ended.
    ///
    /// The job begins after the reply that names it has been sent.
    func answer(_ job: Job?, _ options: Options) async throws -> ObjectPath {
        await catchUp()
        guard let job else { return Paths.none }
        Call.current?.isLeftToJob = true
        if options.bool("wait") == true {
            job.release()
            let end = await job.wait()
            await catchUp()
            if let error = end.error { throw error }
        } else if let call = Call.current {
            call.afterReply { job.release() }
        } else {
            job.release()
        }
        return Paths.job(job.id)
    }
}
