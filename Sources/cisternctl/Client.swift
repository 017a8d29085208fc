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
    static let root: ObjectPath = "/org/cistern1"
    static let pools: ObjectPath = "/org/cistern1/pools"
    nonisolated static let jobs: ObjectPath = "/org/cistern1/jobs"

    let connection: Connection
    /// A person is there to answer polkit's questions.
    private let interactive: Bool

    init(_ options: GlobalOptions) throws {
        do {
            connection = try Connection.open(options.address, description: "cisternctl")
        } catch {
            let advice = "give the right bus with --bus or CISTERN_BUS"
            throw Failure(.notRunning, "No connection to the bus: \(error.message); \(advice).")
        }
        interactive = Terminal.inputIsTerminal
    }

    /// Calls a method of the service.
    func call<each In: DBusType, each Out: DBusType>(
        _ path: ObjectPath, _ interface: Interface, _ member: String, _ arguments: repeat each In, returning: repeat (each Out).Type
    ) async throws -> (repeat each Out) {
        try await connection.call(
            Self.service, path, interface.rawValue, member, repeat each arguments, returning: repeat each returning,
            timeout: .seconds(120), interactive: interactive)
    }

    /// Calls a method that answers with a job.
    func start<each In: DBusType>(_ path: ObjectPath, _ interface: Interface, _ member: String, _ arguments: repeat each In) async throws
        -> ObjectPath
    {
        try await call(path, interface, member, repeat each arguments, returning: ObjectPath.self)
    }

    func pool(_ name: String) async throws -> ObjectPath {
        try await call(Self.root, .manager, "GetPool", name, Properties(), returning: ObjectPath.self)
    }

    func volume(_ name: String, inPool pool: String) async throws -> ObjectPath {
        try await call(try await self.pool(pool), .pool, "GetVolume", name, Properties(), returning: ObjectPath.self)
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

    /// All volumes, or those of one pool; page by page, by pool and name.
    func volumes(inPool pool: ObjectPath?) async throws -> [Object] {
        var found: [Object] = []
        var options: Properties = [:]
        let filter: Properties = pool.map { ["Pool": .path($0)] } ?? [:]
        while true {
            let (page, next) = try await call(
                Self.root, .manager, "ListVolumes", filter, options, returning: [Struct<ObjectPath, Properties>].self, String.self)
            found += page.map { Object(path: $0.values.0, properties: $0.values.1) }
            guard !next.isEmpty else { return found }
            options["after"] = .string(next)
        }
    }

    /// Names of pools by their paths.
    func poolNames() async throws -> [ObjectPath: String] {
        Dictionary(try await objects(below: Self.pools, .pool).map { ($0.path, $0.properties.text("Name")) }) { $1 }
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
    func flag(_ key: String) -> Bool { self[key]?.bool ?? false }
    func size(_ key: String) -> String { Sizes.describe(number(key)) }

    /// An argument of a method, left out when it is nil.
    mutating func set(_ key: String, _ value: Variant?) { if let value { self[key] = value } }
}
