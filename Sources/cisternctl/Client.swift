// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop

typealias Properties = [String: Variant]

/// The interfaces of the service.
enum Interface: String {
    case manager = "org.cistern1.Manager"
    case pool = "org.cistern1.Pool"
    case volume = "org.cistern1.Volume"
    case job = "org.cistern1.Job"
    case properties = "org.freedesktop.DBus.Properties"
    case objectManager = "org.freedesktop.DBus.ObjectManager"
}

/// An object and what it says of itself.
struct Object: Sendable {
    let path: ObjectPath
    let properties: Properties
}

/// The service, as a client on a bus sees it. Paths of objects come from replies; only the fixed ones are known here.
@LoopActor
final class Client {
    static let service = "org.cistern1"
    nonisolated static let root: ObjectPath = "/org/cistern1"
    nonisolated static let pools: ObjectPath = "/org/cistern1/pools"
    nonisolated static let volumes: ObjectPath = "/org/cistern1/volumes"
    nonisolated static let jobs: ObjectPath = "/org/cistern1/jobs"

    let connection: Connection
    /// A person is there to answer polkit's questions.
    private let interactive: Bool

    convenience init(_ options: GlobalOptions) throws { try self.init(options.address, interactive: Terminal.inputIsTerminal) }

    init(_ address: Connection.Address, interactive: Bool) throws {
        do {
            connection = try Connection.open(address, description: "cisternctl")
        } catch {
            let advice = "give the right bus with --bus or CISTERN_BUS"
            throw Failure(.notRunning, "No connection to the bus: \(error.message); \(advice).")
        }
        self.interactive = interactive
    }

    /// Calls a method of the service.
    func call<each In: DBusType, each Out: DBusType>(
        _ path: ObjectPath, _ interface: Interface, _ member: String, _ arguments: repeat each In, returning: repeat (each Out).Type,
        timeout: Duration? = nil
    ) async throws -> (repeat each Out) {
        // Who is asked for a password needs time to find it.
        try await connection.call(
            Self.service, path, interface.rawValue, member, repeat each arguments, returning: repeat each returning,
            timeout: timeout ?? .seconds(interactive ? 600 : 120), interactive: interactive)
    }

    /// Calls a method that answers with a job.
    func start<each In: DBusType>(_ path: ObjectPath, _ interface: Interface, _ member: String, _ arguments: repeat each In) async throws
        -> Started
    {
        Started(
            job: try await call(path, interface, member, repeat each arguments, returning: ObjectPath.self), objects: [path])
    }

    /// Calls a method that answers with a new volume and a job.
    func create<each In: DBusType>(_ pool: ObjectPath, _ member: String, _ arguments: repeat each In) async throws -> Started {
        let (volume, job) = try await call(
            pool, .pool, member, repeat each arguments, returning: ObjectPath.self, ObjectPath.self)
        return Started(job: job, objects: [volume])
    }

    func properties(_ path: ObjectPath, _ interface: Interface) async throws -> Properties {
        try await call(path, .properties, "GetAll", interface.rawValue, returning: Properties.self)
    }

    /// The objects of one kind below an object manager, by path.
    func objects(below manager: ObjectPath, _ interface: Interface) async throws -> [Object] {
        let reply = try await call(
            manager, .objectManager, "GetManagedObjects", returning: [ObjectPath: [String: Properties]].self)
        return reply.compactMap { path, interfaces in
            interfaces[interface.rawValue].map { Object(path: path, properties: $0) }
        }.sorted { $0.path < $1.path }
    }

    /// The volumes whose properties equal the filter's, by pool and name, page by page; all properties, or those named.
    func volumes(where filter: Properties, fields: [String]? = nil, limit: Int = .max) async throws -> [Object] {
        var found: [Object] = []
        var options: Properties = [:]
        options.set("fields", fields.map { .strings($0) })
        if let limit = UInt32(exactly: limit) { options["limit"] = .uint32(limit) }
        while true {
            let (page, next) = try await call(
                Self.root, .manager, "ListVolumes", filter, options, returning: [Struct<ObjectPath, Properties>].self, String.self)
            found += page.map { Object(path: $0.values.0, properties: $0.values.1) }
            guard !next.isEmpty, found.count < limit else { return found }
            options["after"] = .string(next)
        }
    }

    func poolTypes() async throws -> [String: Properties] {
        try await call(Self.root, .manager, "GetPoolTypes", Properties(), returning: [String: Properties].self)
    }

    func xml(of path: ObjectPath, _ interface: Interface, _ options: Properties = [:]) async throws -> String {
        try await call(path, interface, "GetXML", options, returning: String.self)
    }

    /// The service's own name on the bus; nil if it does not run. Asks the bus alone, so that nothing is started.
    func serviceOwner() async throws -> String? {
        do {
            return try await connection.call(
                "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetNameOwner", Self.service,
                returning: String.self, timeout: .seconds(2))
        } catch let error as BusError where error.name == "org.freedesktop.DBus.Error.NameHasNoOwner" {
            return nil
        }
    }

    /// What people call a job.
    nonisolated static func number(of job: ObjectPath) -> String { ObjectPath.decode(job, below: jobs) ?? job.lastLabel }

    /// A job by its path or its number.
    func job(_ text: String) async throws -> ObjectPath {
        if let path = ObjectPath(text), text.hasPrefix("/") { return path }
        guard let job = try await objects(below: Self.jobs, .job).first(where: { Self.number(of: $0.path) == text }) else {
            throw Failure(.failed, "There is no job \(text): finished jobs are forgotten after a minute; see `cisternctl job list`.")
        }
        return job.path
    }
}

extension [String: Variant] {
    func text(_ key: String) -> String { self[key]?.text ?? "" }
    /// ``Sizes/unknown`` when it is not there.
    func number(_ key: String) -> UInt64 { self[key]?.unsigned ?? Sizes.unknown }
    /// 0 when it is not there.
    func count(_ key: String) -> UInt64 { self[key]?.unsigned ?? 0 }
    func flag(_ key: String) -> Bool { self[key]?.bool ?? false }
    func size(_ key: String) -> String { Sizes.describe(number(key)) }

    /// An argument of a method, left out when it is nil.
    mutating func set(_ key: String, _ value: Variant?) { if let value { self[key] = value } }

    /// The flags that are on, as options of a method.
    static func flags(_ flags: [String: Bool]) -> Properties { flags.filter(\.value).mapValues { .bool($0) } }
}
