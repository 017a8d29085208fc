// SPDX-License-Identifier: LGPL-2.1-or-later
import EventLoop
import TestSupport
import Testing

@testable import Bus

/// Objects as a client knows them that keeps a copy.
private struct Mirror {
    var objects: [ObjectPath: [String: Variant]] = [:]

    mutating func apply(_ signal: ReceivedSignal) {
        switch signal.member {
        case "InterfacesAdded":
            guard let path = signal.body[0].path, case .dictionary(_, _, let interfaces) = signal.body[1] else { return }
            objects[path] = interfaces.first?.value.dictionary ?? [:]
        case "InterfacesRemoved":
            if let path = signal.body[0].path { objects[path] = nil }
        case "PropertiesChanged":
            guard objects[signal.path] != nil else { return }
            objects[signal.path]?.merge(signal.body[1].dictionary ?? [:]) { $1 }
        default: break
        }
    }
}

@Suite struct ManagerTests {
    private static let manager = "org.freedesktop.DBus.ObjectManager"

    @Test func objectsComeAndGo() async throws {
        let stage = try await Stage.set()
        await stage.fill(1)
        let signals = try await stage.client.signals(path: Stage.things, interface: Self.manager)
        await stage.server.export(Shelf(name: "new", size: 3), at: Stage.thing(1), [Shelf.interface])
        let added = try #require(await next(signals))
        #expect(added.member == "InterfacesAdded")
        #expect(added.body[0].path == Stage.thing(1))
        guard case .dictionary("s", "a{sv}", let interfaces) = added.body[1] else {
            Issue.record("\(added.body[1])")
            return
        }
        #expect(interfaces.map(\.key) == [.string("org.example1.Shelf")], "no boilerplate")
        #expect(interfaces[0].value.dictionary?["Size"] == .uint64(3))
        await stage.server.remove(Stage.thing(1))
        let removed = try #require(await next(signals))
        #expect(removed.body == [.path(Stage.thing(1)), .strings(["org.example1.Shelf"])])
        #expect(try await stage.managed().keys.map(\.description) == [Stage.thing(0).description])
    }

    @Test func replacingAnObjectIsRemovalAndAddition() async throws {
        let stage = try await Stage.set()
        await stage.fill(1)
        let signals = try await stage.client.signals(path: Stage.things)
        await stage.server.export(Shelf(name: "other"), at: Stage.thing(0), [Shelf.interface])
        #expect(await next(signals)?.member == "InterfacesRemoved")
        #expect(await next(signals)?.member == "InterfacesAdded")
    }

    @Test func managersAreDisjoint() async throws {
        let stage = try await Stage.set()
        await stage.fill(2)
        await stage.server.addManager(at: Stage.thing(0), hint: "")
        await stage.server.export(Shelf(name: "deep"), at: "/org/example1/things/n0/x", [Shelf.interface])
        #expect(try await stage.managed().count == 2)
        let deep = try await stage.client.call(
            Stage.name, Stage.thing(0), Self.manager, "GetManagedObjects",
            returning: [ObjectPath: [String: [String: Variant]]].self)
        #expect(deep.keys.map(\.description) == ["/org/example1/things/n0/x"])
        #expect(try await stage.get(Stage.thing(0), "Name") == .string("n0"))
        #expect(await stage.server.children(of: Stage.things).sorted() == [Stage.thing(0), Stage.thing(1)])
    }

    @Test func anEmptyManagerIsThere() async throws {
        let stage = try await Stage.set()
        await stage.fill(0)
        #expect(try await stage.managed().isEmpty)
    }

    /// A client that takes the reply, and then what comes after it, ends with the truth, whatever happens while the reply is written.
    @Test func aListingIsNotStale() async throws {
        let stage = try await Stage.set()
        await stage.fill(4000)
        let signals = try await stage.client.signals(sender: Stage.name, pathNamespace: Stage.things)
        let changes = Task { @LoopActor in await Self.shake(stage) }
        for _ in 0..<3 {
            let request = try await stage.client.newCall(Stage.name, Stage.things, Self.manager, "GetManagedObjects", false)
            let reply = try await stage.client.exchange(request, .seconds(60))
            let (serial, objects) = try await Self.parse(reply)
            var mirror = Mirror(objects: objects.mapValues { $0["org.example1.Shelf"] ?? [:] })
            let truth = await Self.settle(stage)
            for await signal in signals {
                if signal.serial > serial { mirror.apply(signal) }
                if signal.member == "Moved" { break }
            }
            #expect(mirror.objects == truth)
        }
        changes.cancel()
        await changes.value
    }

    @LoopActor
    private static func parse(_ reply: Message) throws -> (UInt64, [ObjectPath: [String: [String: Variant]]]) {
        (reply.serial, try MessageReader(reply.raw).read())
    }

    /// Changes, removes, adds and replaces objects all the time, until cancelled.
    @LoopActor
    private static func shake(_ stage: Stage) async {
        var turn: UInt64 = 0
        while !Task.isCancelled {
            turn += 1
            for step in 0..<5 {
                let path = Stage.thing(Int((turn &* 2_654_435_761 &+ UInt64(step) &* 977) % 4400))
                let shelf = Shelf(name: "changed \(turn)", size: turn, used: UInt64(step))
                switch (turn + UInt64(step)) % 7 {
                case 0: stage.server.remove(path)
                case 1: stage.server.export(shelf, at: path, [Shelf.interface])
                default:
                    if var old = stage.server.object(at: path, as: Shelf.self) {
                        (old.size, old.used) = (shelf.size, shelf.used)
                        stage.server.update(path, to: old)
                    }
                }
            }
            await Loop.shared.nextTurn()
        }
    }

    /// What the objects are once the listing's corrections are sent, and a signal that marks this moment.
    @LoopActor
    private static func settle(_ stage: Stage) async -> [ObjectPath: [String: Variant]] {
        while stage.server.tree.node(at: Stage.things)?.manager?.listing != nil { await Loop.shared.nextTurn() }
        var truth: [ObjectPath: [String: Variant]] = [:]
        for path in stage.server.children(of: Stage.things) {
            guard let shelf = stage.server.object(at: path, as: Shelf.self) else { continue }
            truth[path] = [
                "Name": .string(shelf.name), "Size": .uint64(shelf.size), "Used": .uint64(shelf.used), "Tags": .strings(shelf.tags),
                "Details": .dictionary(shelf.details), "Secret": .uint32(shelf.secret),
            ]
        }
        try? stage.server.emit(Stage.things, Shelf.interface, "Moved", "mark", UInt32(0))
        return truth
    }

    @Test func manyListingsAtOnce() async throws {
        let stage = try await Stage.set()
        await stage.fill(500)
        let listings = (0..<10).map { _ in Task { @LoopActor in try await stage.managed().count } }
        for listing in listings { #expect(try await listing.value == 500) }
    }

    @Test func aListingTooLargeForTheBusIsRefused() async throws {
        let stage = try await Stage.set()
        let padding = String(repeating: "p", count: 200)
        await stage.fill(70_000) { Shelf(name: "\($0) " + padding, size: UInt64($0)) }
        let error = await failure { _ = try await stage.managed() }
        #expect(error?.name == "org.freedesktop.DBus.Error.LimitsExceeded")
        #expect(error?.message.hasSuffix("24 MiB; use List.") == true, "\(error?.message ?? "")")
        // Nobody was thrown off the bus, and the objects are there.
        #expect(try await stage.get(Stage.thing(69_999), "Size") == .uint64(69_999))
    }

    @Test func othersAreServedMeanwhile() async throws {
        let stage = try await Stage.set()
        await stage.fill(10_000)
        let listing = Task {
            try await output(
                "/usr/bin/busctl",
                [
                    "--address=\(stage.bus.address)", "--quiet", "call", Stage.name, Stage.things.description, Self.manager,
                    "GetManagedObjects",
                ])
        }
        let isDone = Locked(false)
        let watcher = Task {
            _ = await listing.result
            isDone.withLock { $0 = true }
        }
        var served = 0
        while !isDone.withLock({ $0 }) {
            _ = try await stage.get(Stage.thing(served % 10_000), "Size")
            served += 1
        }
        await watcher.value
        #expect(try await listing.value.status == 0)
        #expect(served > 20, "\(served) calls were served")
    }

    @Test func streamedReplies() async throws {
        let stage = try await Stage.set()
        await stage.server.export(Shelf(), at: Stage.root, [Shelf.interface])
        let (items, next) = try await stage.call(
            Stage.root, "List", [String: Variant](), ["limit": Variant.int16(5000)],
            returning: [Struct<ObjectPath, [String: Variant]>].self, String.self)
        #expect(items.count == 5000)
        #expect(items[4999].values.1["index"] == .uint64(4999))
        #expect(next == "")
    }
}
