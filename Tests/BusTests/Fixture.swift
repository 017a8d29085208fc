// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Foundation
import TestSupport

/// What the test service exports: a value, with a property of every kind and a method of every shape.
struct Shelf: Sendable {
    var name = "shelf"
    var size: UInt64 = 1
    var used: UInt64 = 0
    var tags: [String] = []
    var details: [String: Variant] = [:]
    var secret: UInt32 = 0
    var log: Locked<[String]> = Locked([])

    static let interface = Interface<Shelf>("org.example1.Shelf", "A place for <things> & \"more\".") {
        Property("Name", .constant, "Its name.") { $0.name }
        Property("Size", .changes, "Bytes.") { $0.size }
        Property("Used", .changes, "Bytes.") { $0.used }
        Property("Tags", .changes, "Words.") { $0.tags }
        Property("Details", .invalidates, "Whatever there is.") { $0.details }
        Property("Secret", .silent, "Never announced.") { $0.secret }
        Method("Echo", "Says it again.", takes: "text", gives: "text", allow: .everyone, call: Shelf.echo)
        Method(
            "Make", "Makes something.", takes: "name", "size", gives: "path", "job",
            options: ["mode": "u", "label": "s", "force": "b", "offset": "x", "small": "y", "fields": "as", "handle": "h"],
            allow: .action("org.example1.make"), call: Shelf.make)
        Method("Shapes", "Many types.", takes: "map", "pairs", "any", gives: "any", "pairs", allow: .everyone, call: Shelf.shapes)
        Method("Measure", "Length of an open file.", takes: "file", gives: "size", allow: .everyone, call: Shelf.measure)
        Method("Open", "A descriptor of a pipe, or so.", gives: "file", allow: .everyone, call: Shelf.open)
        Method("Nothing", "Does nothing.", allow: .everyone, call: Shelf.nothing)
        Method("Wait", "Replies late.", takes: "milliseconds", allow: .everyone, call: Shelf.wait)
        Method("Fail", "Fails.", takes: "how", allow: .everyone, call: Shelf.fail)
        Method("WhoAmI", "The caller.", gives: "uid", allow: .everyone, call: Shelf.whoAmI)
        Method("Length", "Of a text.", takes: "text", gives: "length", allow: .everyone, call: Shelf.length)
        Method("Large", "A text of so many bytes.", takes: "length", gives: "text", allow: .everyone, call: Shelf.large)
        StreamingMethod(
            "List", "Numbers below a limit.", takes: "filter", gives: ("items", "a(oa{sv})"), ("next", "s"), options: ["limit": "u"],
            allow: .everyone, call: Shelf.list)
        StreamingMethod("Wrong", "Writes another type than declared.", gives: ("item", "u"), allow: .everyone) {
            (_: Shelf, writer) async throws in try writer.append("text")
        }
        Signal("Moved", "It was moved.", arguments: ("to", "s"), ("steps", "u"))
    }

    @LoopActor func echo(_ text: String) -> String { text }

    @LoopActor func make(_ name: String, _ size: UInt64, _ options: Options) async throws -> (ObjectPath, ObjectPath) {
        log.withLock { $0.append("make \(name) \(size) \(options.unsigned("mode").map(String.init) ?? "-")") }
        return (ObjectPath.encode("/org/example1/things", name), "/")
    }

    @LoopActor func shapes(
        _ map: [String: Variant], _ pairs: [Struct<String, UInt64>], _ any: Variant
    ) throws -> (Variant, [Struct<String, UInt64>]) { (any, pairs) }

    @LoopActor func measure(_ file: UnixDescriptor) throws -> Int64 {
        var status = stat()
        guard fstat(file.descriptor, &status) == 0 else { throw BusError.errno(errno, doing: "measure") }
        return Int64(status.st_size)
    }

    @LoopActor func open() throws -> UnixDescriptor { try UnixDescriptor(duplicating: 0) }
    @LoopActor func nothing() {}
    @LoopActor func wait(_ milliseconds: UInt32) async throws { try await Task.sleep(for: .milliseconds(Int(milliseconds))) }
    @LoopActor func length(_ text: String) -> UInt64 { UInt64(text.utf8.count) }
    @LoopActor func large(_ length: UInt64) -> String { String(repeating: "x", count: Int(length)) }

    struct Broken: Error {}

    @LoopActor func fail(_ how: String) throws {
        switch how {
        case "bus": throw BusError("org.example1.Error.Odd", "It is odd.")
        case "name": throw BusError("not a name", "two\0halves")
        default: throw Broken()
        }
    }

    @LoopActor func whoAmI() async throws -> UInt32 {
        guard let call = Call.current else { throw Broken() }
        return try await call.uid()
    }

    @LoopActor func list(_ writer: MessageWriter, _ filter: [String: Variant], _ options: Options) async throws {
        var slice = Slice()
        try writer.beginArray("(oa{sv})")
        for index in 0..<(options.unsigned("limit") ?? 10) {
            try writer.beginStructure("oa{sv}")
            try writer.append(ObjectPath.encode("/things", "\(index)"))
            try writer.append(["index": Variant.uint64(index)])
            try writer.end()
            await slice.breathe()
        }
        try writer.end()
        try writer.append("")
    }
}

/// A bus, a service on it that owns "org.example1", and a client.
struct Stage {
    let bus: PrivateBus
    let service: Connection
    let client: Connection
    let server: ObjectServer
    /// What `authorize` was asked, in order; it refuses what `refuses` says.
    let asked: Locked<[String]>

    static let name = "org.example1"
    static let root: ObjectPath = "/org/example1"
    static let things: ObjectPath = "/org/example1/things"

    @LoopActor
    static func set(
        _ policy: PrivateBus.Policy = .session, authorize: @escaping @LoopActor (Call) async throws -> Void = { _ in }
    ) async throws -> Stage {
        let bus = try await PrivateBus.start(policy)
        let asked = Locked<[String]>([])
        let service = try bus.connect("service")
        let server = ObjectServer(
            service,
            authorize: { call, action, object in
                asked.withLock { $0.append("\(action) \((object as? Shelf)?.name ?? "?")") }
                try await authorize(call)
            },
            describe: { BusError("org.example1.Error.Failed", "mapped \(type(of: $0))") })
        try await service.requestName(name)
        return Stage(bus: bus, service: service, client: try bus.connect("client"), server: server, asked: asked)
    }

    /// Calls a method of the shelf at `path`.
    @LoopActor
    func call<each In: DBusType, each Out: DBusType>(
        _ path: ObjectPath, _ member: String, _ arguments: repeat each In, returning: repeat (each Out).Type
    ) async throws -> sending (repeat each Out) {
        try await client.call(Stage.name, path, "org.example1.Shelf", member, repeat each arguments, returning: repeat (each Out).self)
    }

    @LoopActor
    func managed() async throws -> [ObjectPath: [String: [String: Variant]]] {
        try await client.call(
            Stage.name, Stage.things, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
            returning: [ObjectPath: [String: [String: Variant]]].self, timeout: .seconds(60))
    }

    @LoopActor
    func get(_ path: ObjectPath, _ property: String) async throws -> Variant {
        try await client.call(
            Stage.name, path, "org.freedesktop.DBus.Properties", "Get", "org.example1.Shelf", property, returning: Variant.self)
    }

    /// Puts `count` shelves below the manager.
    @LoopActor
    func fill(_ count: Int, _ make: @Sendable (Int) -> Shelf = { Shelf(name: "n\($0)", size: UInt64($0)) }) async {
        var slice = Slice()
        for index in 0..<count {
            server.export(make(index), at: Stage.thing(index), [Shelf.interface])
            await slice.breathe()
        }
        server.addManager(at: Stage.things, hint: "use List")
    }

    static func thing(_ index: Int) -> ObjectPath { ObjectPath.encode(things, "n\(index)") }
}

/// The error a call ends with.
@LoopActor
func failure(_ body: @LoopActor () async throws -> Void) async -> BusError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? BusError ?? BusError("other", "\(error)")
    }
}

/// What a program prints, errors included.
func output(_ program: String, _ arguments: [String]) async throws -> (status: Int32, text: String) {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread {
            let process = Process()
            let pipe = Pipe()
            process.executableURL = URL(fileURLWithPath: program)
            process.arguments = arguments
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = pipe
            process.standardError = pipe
            do {
                try process.run()
                let data = pipe.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                continuation.resume(returning: (process.terminationStatus, String(decoding: data, as: UTF8.self)))
            } catch {
                continuation.resume(throwing: error)
            }
        }
        thread.start()
    }
}

/// The next signal within a second or two; nil if none comes.
func next(_ signals: AsyncStream<ReceivedSignal>, within limit: Duration = .seconds(5)) async -> ReceivedSignal? {
    await withTaskGroup(of: ReceivedSignal?.self) { group in
        group.addTask {
            for await signal in signals { return signal }
            return nil
        }
        group.addTask {
            try? await Task.sleep(for: limit)
            return nil
        }
        let first = await group.next() ?? nil
        group.cancelAll()
        return first
    }
}
