// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import TestSupport
import Testing

/// Plays what today's daemon cannot do yet: has the signatures of the real interfaces, and writes down what it is asked.
@LoopActor final class Recorder {
    struct Request: Sendable {
        let object: ObjectPath
        let method: String
        let arguments: [Variant]
        let options: [String: Variant]
        /// What was read from a descriptor.
        var content = ""
        /// The caller said that somebody is there to be asked for a password.
        let mayAsk: Bool
    }

    static let pool: ObjectPath = "/org/cistern1/pools/images"
    static let volume: ObjectPath = "/org/cistern1/volumes/images/disk"
    static let other: ObjectPath = "/org/cistern1/volumes/images/base"
    static let job: ObjectPath = "/org/cistern1/jobs/7"

    private(set) var requests: [Request] = []
    /// What the next methods answer instead of doing anything.
    var refusal: BusError?
    /// Whether methods that start jobs start one.
    var startsJobs = false
    private var waiting: CheckedContinuation<Void, Never>?
    private let connection: Connection
    private let server: ObjectServer

    /// Becomes org.cistern1 on the harness's bus.
    init(_ harness: Harness) async throws {
        connection = try harness.bus.connect("recorder")
        server = ObjectServer(connection, authorize: { _, _, _ in })
        for (path, hint) in [(Paths.pools, "pools"), (Paths.jobs, "jobs")] { server.addManager(at: path, hint: hint) }
        server.export(Played(recorder: self, path: Harness.manager), at: Harness.manager, [PlayedInterfaces.manager])
        server.export(Played(recorder: self, path: Self.pool, name: "images"), at: Self.pool, [PlayedInterfaces.pool])
        server.export(Played(recorder: self, path: Self.volume, name: "disk"), at: Self.volume, [PlayedInterfaces.volume])
        server.export(Played(recorder: self, path: Self.other, name: "base"), at: Self.other, [PlayedInterfaces.volume])
        try await connection.requestName(Harness.service)
    }

    private enum Paths {
        static let pools: ObjectPath = "/org/cistern1/pools"
        static let jobs: ObjectPath = "/org/cistern1/jobs"
    }

    func end() { connection.close() }

    /// Writes a request down, or refuses it.
    func note(_ object: ObjectPath, _ method: String, _ arguments: [Variant], _ options: Options, content: String = "") throws {
        if let refusal { throw refusal }
        let given = Dictionary(uniqueKeysWithValues: options.keys.compactMap { key in options[key].map { (key, $0) } })
        let mayAsk = Call.current?.allowsInteraction == true
        requests.append(
            Request(object: object, method: method, arguments: arguments, options: given, content: content, mayAsk: mayAsk))
        waiting?.resume()
        waiting = nil
    }

    /// Returns when a request has come.
    func hear() async {
        if requests.isEmpty { await withCheckedContinuation { waiting = $0 } }
    }

    /// `/`, or a running job.
    func answer() -> ObjectPath {
        guard startsJobs else { return .root }
        server.export(PlayedJob(state: "running"), at: Self.job, [PlayedInterfaces.job])
        return Self.job
    }

    /// The running job ends.
    func finish(_ state: String, error: String = "", message: String = "") throws {
        server.update(Self.job, to: PlayedJob(state: state, error: error, message: message))
        try server.emit(Harness.manager, PlayedInterfaces.manager, "JobFinished", Self.job, state, error, message)
    }

    /// The last request, of this method.
    func last(_ method: String, _ location: SourceLocation = #_sourceLocation) throws -> Request {
        try #require(requests.last { $0.method == method }, "nobody called \(method)", sourceLocation: location)
    }
}

struct PlayedJob: Sendable {
    let state: String
    var error = ""
    var message = ""
}

/// The manager, a pool or a volume.
@LoopActor struct Played: Sendable {
    let recorder: Recorder
    let path: ObjectPath
    let name: String

    init(recorder: Recorder, path: ObjectPath, name: String = "") {
        self.recorder = recorder
        self.path = path
        self.name = name
    }

    // MARK: - The manager

    func findPoolSources(_ type: String, _ place: [String: Variant], _ options: Options) throws -> [[String: Variant]] {
        try recorder.note(path, "FindPoolSources", [.string(type), .dictionary(place)], options)
        return [["source.path": .string("/export")], ["source.path": .string("/other"), "source.format": .string("nfs")]]
    }

    func getPool(_ name: String, _ options: Options) throws -> ObjectPath {
        if name != "images" { throw BusError("org.cistern1.Error.NotFound", "There is no pool \(name).") }
        return Recorder.pool
    }

    func getPoolTypes(_ options: Options) -> [String: [String: Variant]] {
        [
            "scsi": [
                "available": .bool(false), "reason": .string("there is no adapter"), "volume-formats": .strings(["raw"]),
                "settings": .dictionary([
                    "target.path": "s", "target.mode": "u", "source.hosts": "a(sq)", "source.devices": "as", "source.adapter": "a{sv}",
                    "source.part-separator": "b", "source.path": "s", "source.name": "s", "source.format": "s", "options.mount": "as",
                ]),
            ]
        ]
    }

    func definePool(_ name: String, _ type: String, _ settings: [String: Variant], _ options: Options) throws -> ObjectPath {
        try recorder.note(path, "DefinePool", [.string(name), .string(type), .dictionary(settings)], options)
        return Recorder.pool
    }

    func setSecret(_ usage: String, _ value: UnixDescriptor, _ options: Options) throws {
        try recorder.note(path, "SetSecret", [.string(usage)], options, content: Self.content(of: value))
    }

    func removeSecret(_ usage: String, _ options: Options) throws {
        try recorder.note(path, "RemoveSecret", [.string(usage)], options)
    }

    func listSecrets(_ options: Options) -> [String] { ["san", "nas"] }

    // MARK: - The pool

    func getVolume(_ name: String, _ options: Options) throws -> ObjectPath {
        switch name {
        case "disk": return Recorder.volume
        case "base": return Recorder.other
        default: throw BusError("org.cistern1.Error.NotFound", "Pool images has no volume \(name).")
        }
    }

    func createVolume(_ name: String, _ capacity: UInt64, _ options: Options) throws -> (ObjectPath, ObjectPath) {
        let content = options.descriptor("passphrase").map { Self.content(of: $0) } ?? ""
        try recorder.note(path, "CreateVolume", [.string(name), .uint64(capacity)], options, content: content)
        return (Recorder.volume, recorder.answer())
    }

    func createVolumeXML(_ xml: String, _ options: Options) throws -> (ObjectPath, ObjectPath) {
        try recorder.note(path, "CreateVolumeXML", [.string(xml)], options)
        return (Recorder.volume, recorder.answer())
    }

    func cloneVolume(_ source: ObjectPath, _ name: String, _ options: Options) throws -> (ObjectPath, ObjectPath) {
        try recorder.note(path, "CloneVolume", [.path(source), .string(name)], options)
        return (Recorder.volume, recorder.answer())
    }

    // MARK: - The volume

    func wipe(_ algorithm: String, _ options: Options) throws -> ObjectPath {
        try recorder.note(path, "Wipe", [.string(algorithm)], options)
        return recorder.answer()
    }

    func rebase(_ backing: ObjectPath, _ options: Options) throws -> ObjectPath {
        try recorder.note(path, "Rebase", [.path(backing)], options)
        return recorder.answer()
    }

    func upload(_ source: UnixDescriptor, _ offset: UInt64, _ length: UInt64, _ options: Options) throws -> ObjectPath {
        try recorder.note(path, "Upload", [.uint64(offset), .uint64(length)], options, content: Self.content(of: source))
        return recorder.answer()
    }

    func download(_ target: UnixDescriptor, _ offset: UInt64, _ length: UInt64, _ options: Options) throws -> ObjectPath {
        try recorder.note(path, "Download", [.uint64(offset), .uint64(length)], options)
        let bytes = Array("data".utf8)
        #expect(write(target.descriptor, bytes, bytes.count) == bytes.count)
        return recorder.answer()
    }

    func setMetadata(_ metadata: [String: String], _ options: Options) throws {
        try recorder.note(path, "SetMetadata", [.dictionary(metadata)], options)
    }

    func getHolders(_ options: Options) throws -> [[String: Variant]] {
        [["kind": .string("process"), "pid": .uint32(4711), "command": .string("qemu"), "path": .string("/dev/x"), "object": .path("/")]]
    }

    private static func content(of descriptor: UnixDescriptor) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(descriptor.descriptor, &buffer, buffer.count)
            if count <= 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }
}

@LoopActor enum PlayedInterfaces {
    static let manager = Interface<Played>("org.cistern1.Manager", "Played.") {
        Method(
            "FindPoolSources", "", takes: "type", "where", gives: "sources", options: ["timeout": "u"], allow: .everyone,
            call: Played.findPoolSources)
        Method("GetPool", "", takes: "name", gives: "pool", allow: .everyone, call: Played.getPool)
        Method("GetPoolTypes", "", gives: "types", allow: .everyone, call: Played.getPoolTypes)
        Method(
            "DefinePool", "", takes: "name", "type", "settings", gives: "pool",
            options: ["autostart": "b", "transient": "b", "replace": "b", "validate-only": "b"], allow: .everyone, call: Played.definePool)
        Method("SetSecret", "", takes: "usage", "value", allow: .everyone, call: Played.setSecret)
        Method("RemoveSecret", "", takes: "usage", allow: .everyone, call: Played.removeSecret)
        Method("ListSecrets", "", gives: "usages", allow: .everyone, call: Played.listSecrets)
        Signal("JobFinished", "", arguments: ("job", "o"), ("state", "s"), ("error", "s"), ("message", "s"))
    }

    static let pool = Interface<Played>("org.cistern1.Pool", "Played.") {
        Property("Name", .constant, "") { $0.name }
        Method("GetVolume", "", takes: "name", gives: "volume", allow: .everyone, call: Played.getVolume)
        Method(
            "CreateVolume", "", takes: "name", "capacity", gives: "volume", "job",
            options: [
                "format": "s", "allocation": "s", "mode": "u", "owner": "u", "group": "u", "security-label": "s", "backing": "o",
                "backing-format": "s", "passphrase": "h", "metadata": "a{ss}", "compat": "s", "cluster-size": "t", "lazy-refcounts": "b",
                "extended-l2": "b", "subformat": "s", "wait": "b",
            ], allow: .everyone, call: Played.createVolume)
        Method(
            "CreateVolumeXML", "", takes: "xml", gives: "volume", "job", options: ["source": "o", "wait": "b"], allow: .everyone,
            call: Played.createVolumeXML)
        Method(
            "CloneVolume", "", takes: "source", "name", gives: "volume", "job", options: ["mode": "s", "format": "s", "wait": "b"],
            allow: .everyone, call: Played.cloneVolume)
    }

    static let volume = Interface<Played>("org.cistern1.Volume", "Played.") {
        Property("Name", .constant, "") { $0.name }
        Property("Key", .changes, "") { "key of \($0.name)" }
        Property("Path", .changes, "") { "/srv/\($0.name)" }
        Property("Format", .changes, "") { _ in "qcow2" }
        Property("State", .changes, "") { _ in "ready" }
        Property("Capacity", .changes, "") { _ in UInt64(1 << 30) }
        Property("Allocation", .changes, "") { _ in UInt64(1 << 20) }
        Property("Dependents", .changes, "") { $0.name == "base" ? [Recorder.volume] : [] }
        Property("Metadata", .changes, "") { _ in ["owner": "alice", "ticket": "12"] }
        Method("Wipe", "", takes: "algorithm", gives: "job", options: keyed, allow: .everyone, call: Played.wipe)
        Method("Rebase", "", takes: "backing", gives: "job", options: keyed, allow: .everyone, call: Played.rebase)
        Method("Upload", "", takes: "source", "offset", "length", gives: "job", options: keyed, allow: .everyone, call: Played.upload)
        Method("Download", "", takes: "target", "offset", "length", gives: "job", options: keyed, allow: .everyone, call: Played.download)
        Method("SetMetadata", "", takes: "metadata", options: ["key": "s"], allow: .everyone, call: Played.setMetadata)
        Method("GetHolders", "", gives: "holders", options: ["key": "s"], allow: .everyone, call: Played.getHolders)
    }

    static let job = Interface<PlayedJob>("org.cistern1.Job", "Played.") {
        Property("State", .changes, "") { $0.state }
        Property("Error", .changes, "") { $0.error }
        Property("ErrorMessage", .changes, "") { $0.message }
        Property("Objects", .constant, "") { _ in [Recorder.volume] }
    }

    private static let keyed = ["wait": "b", "key": "s"]
}
