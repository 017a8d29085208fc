// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop

/// Prints what changes until Ctrl-C; goes on when cisternd is started again.
struct Monitor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "monitor", abstract: "Prints every change of pools, volumes and jobs as it happens, until Ctrl-C.",
        discussion: """
            With --json a line of JSON for each change: Time, Change (added, removed, changed, finished, started or stopped), Object, \
            Properties, and Previous: what those that changed were before.

            Example: cisternctl monitor
            """)
    @OptionGroup var sizes: SizeOptions
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let watcher = Watcher(client)
        let printer = ChangePrinter(options: options, sizes: sizes)
        let signals = try await watcher.signals()
        let isRunning = try await watcher.begin()
        if !isRunning {
            Terminal.line("cisternd is not running; its start will be seen.", to: .messages)
        } else if Terminal.messagesAreSeen {
            Terminal.line("Watching cisternd; Ctrl-C ends it.", to: .messages)
        }
        for await signal in signals {
            for change in await watcher.changes(signal) { printer.show(change) }
        }
        throw Failure(.notRunning, "The connection to the bus was lost.")
    }
}

/// Makes changes of signals, from one run of the service to the next.
@LoopActor
private final class Watcher {
    private let client: Client
    private var world = World()
    /// The service's own name on the bus; empty while it does not run.
    private var owner = ""
    /// What came before the bus had told whose it is: the two come on different ways.
    private var early: [ReceivedSignal] = []

    init(_ client: Client) { self.client = client }

    /// What the service says, and when it comes and goes.
    func signals() async throws -> AsyncStream<ReceivedSignal> {
        let (all, output) = AsyncStream.makeStream(of: ReceivedSignal.self)
        let streams = [
            try await client.ownerChanges(),
            try await client.connection.signals(sender: Client.service, pathNamespace: Client.root),
        ]
        for stream in streams {
            Task {
                for await signal in stream { output.yield(signal) }
                output.finish()
            }
        }
        return all
    }

    /// Looks at everything, if the service runs.
    func begin() async throws -> Bool {
        guard let owner = try await client.serviceOwner() else { return false }
        self.owner = owner
        _ = world.replace(with: try await client.everything())
        return true
    }

    func changes(_ signal: ReceivedSignal) async -> [Change] {
        if signal.member == "NameOwnerChanged", signal.body.first?.text == Client.service { return await ownerChanged(signal) }
        if signal.sender == owner { return world.changes(signal) }
        if owner.isEmpty, signal.path.isWithin(Client.root) { early.append(signal) }
        return []
    }

    private func ownerChanged(_ signal: ReceivedSignal) async -> [Change] {
        let new = signal.body.last?.text ?? ""
        // It may have been there already when we began.
        guard new != owner else { return [] }
        owner = new
        if new.isEmpty { return [Change(.stopped, Client.root)] }
        defer { early = [] }
        var changes = [Change(.started, Client.root)]
        // What has changed while nobody told.
        if let everything = try? await client.everything() { changes += world.replace(with: everything) }
        for signal in early where signal.sender == new { changes += world.changes(signal) }
        return changes
    }
}

/// Something that has happened to an object, or to the service.
struct Change: Sendable {
    enum Kind: String { case added, removed, changed, finished, started, stopped }

    let kind: Kind
    let object: ObjectPath
    let properties: Properties
    /// What those of `properties` were that are known.
    let previous: Properties
    /// All that is known of the object now.
    let all: Properties

    init(_ kind: Kind, _ object: ObjectPath, _ properties: Properties = [:], previous: Properties = [:], all: Properties = [:]) {
        self.kind = kind
        self.object = object
        self.properties = properties
        self.previous = previous
        self.all = all
    }
}

/// All objects as they were last heard of.
struct World {
    private var objects: [ObjectPath: Properties] = [:]

    /// Takes over what is there now, and tells how that differs.
    mutating func replace(with now: [Object]) -> [Change] {
        let before = objects
        objects = Dictionary(now.map { ($0.path, $0.properties) }) { $1 }
        let gone = before.keys.filter { objects[$0] == nil }.sorted().map { Change(.removed, $0) }
        return gone
            + now.flatMap { object in
                guard let old = before[object.path] else { return [Change(.added, object.path, object.properties)] }
                return Self.difference(object.path, from: old, to: object.properties)
            }
    }

    private static func difference(_ path: ObjectPath, from old: Properties, to new: Properties) -> [Change] {
        let changed = new.filter { old[$0.key] != $0.value }
        guard !changed.isEmpty else { return [] }
        return [Change(.changed, path, changed, previous: old.filter { changed[$0.key] != nil }, all: new)]
    }

    /// What a signal of the service tells.
    mutating func changes(_ signal: ReceivedSignal) -> [Change] {
        let body = signal.body
        switch signal.member {
        case "InterfacesAdded":
            guard let path = body.first?.path, let properties = body.last.map(Self.properties) else { return [] }
            // It may have come while everything was looked up.
            let known = objects.updateValue(properties, forKey: path)
            return known.map { Self.difference(path, from: $0, to: properties) } ?? [Change(.added, path, properties)]
        case "InterfacesRemoved":
            guard let path = body.first?.path else { return [] }
            return objects.removeValue(forKey: path) == nil ? [] : [Change(.removed, path)]
        case "PropertiesChanged":
            guard body.count > 1, let news = body[1].dictionary else { return [] }
            let known = objects[signal.path] ?? [:]
            let now = known.merging(news) { $1 }
            objects[signal.path] = now
            return Self.difference(signal.path, from: known, to: now)
        case "JobFinished":
            guard body.count > 3, let path = body[0].path else { return [] }
            return [Change(.finished, path, ["State": body[1], "Error": body[2], "ErrorMessage": body[3]])]
        default: return []
        }
    }

    /// All properties in an a{sa{sv}}.
    private static func properties(_ interfaces: Variant) -> Properties {
        guard case .dictionary(_, _, let entries) = interfaces else { return [:] }
        return entries.reduce(into: [:]) { all, entry in all.merge(entry.value.dictionary ?? [:]) { $1 } }
    }
}

extension Client {
    /// Pools, volumes and jobs.
    fileprivate func everything() async throws -> [Object] {
        try await objects(below: Self.pools, .pool) + volumes(where: [:]) + objects(below: Self.jobs, .job)
    }
}
