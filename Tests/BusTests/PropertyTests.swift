// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import TestSupport
import Testing

@Suite struct PropertyTests {
    private static let properties = "org.freedesktop.DBus.Properties"

    private func staged() async throws -> Stage {
        let stage = try await Stage.set()
        await stage.server.export(Shelf(name: "a", size: 7, tags: ["x"]), at: Stage.root, [Shelf.interface])
        return stage
    }

    private func all(_ stage: Stage, _ interface: String) async throws -> [String: Variant] {
        try await stage.client.call(
            Stage.name, Stage.root, Self.properties, "GetAll", interface, returning: [String: Variant].self)
    }

    @Test func reading() async throws {
        let stage = try await staged()
        #expect(try await stage.get(Stage.root, "Name") == .string("a"))
        #expect(try await stage.get(Stage.root, "Size") == .uint64(7))
        #expect(try await stage.get(Stage.root, "Details") == .dictionary([String: Variant]()))
        let values = try await all(stage, "org.example1.Shelf")
        #expect(values.keys.sorted() == ["Details", "Name", "Secret", "Size", "Tags", "Used"])
        #expect(try await all(stage, "") == values)
        #expect(try await all(stage, "org.freedesktop.DBus.Introspectable") == [:])
        let any = try await stage.client.call(Stage.name, Stage.root, Self.properties, "Get", "", "Name", returning: Variant.self)
        #expect(any == .string("a"))
    }

    @Test func errors() async throws {
        let stage = try await staged()
        let error: @Sendable (String, [Variant]) async -> BusError? = { member, body in
            await failure { _ = try await stage.client.call(Stage.name, Stage.root, Self.properties, member, dynamic: body) }
        }
        let unknown = await error("Get", [.string("org.example1.Shelf"), .string("Nope")])
        #expect(unknown?.name == "org.freedesktop.DBus.Error.UnknownProperty")
        #expect(unknown?.message.contains("Name, Size") == true)
        #expect(await error("Get", [.string("x.y"), .string("Name")])?.name == "org.freedesktop.DBus.Error.UnknownInterface")
        #expect(await error("GetAll", [.string("x.y")])?.name == "org.freedesktop.DBus.Error.UnknownInterface")
        let readOnly = await error("Set", [.string("org.example1.Shelf"), .string("Size"), .variant(.uint64(1))])
        #expect(readOnly?.name == "org.freedesktop.DBus.Error.PropertyReadOnly")
        let missing = await error("Set", [.string("org.example1.Shelf"), .string("Nope"), .variant(.uint64(1))])
        #expect(missing?.name == "org.freedesktop.DBus.Error.UnknownProperty")
    }

    @Test func changesGoOutInOneSignal() async throws {
        let stage = try await staged()
        let signals = try await stage.client.signals(sender: Stage.name, path: Stage.root, member: "PropertiesChanged")
        var shelf = try #require(await stage.server.object(at: Stage.root, as: Shelf.self))
        await stage.server.update(Stage.root, to: shelf)  // nothing changed: no signal
        shelf.secret = 1
        await stage.server.update(Stage.root, to: shelf)  // nothing announced changed: no signal
        shelf.name = "b"
        await stage.server.update(Stage.root, to: shelf)  // constant: not announced whatever happens
        (shelf.size, shelf.used, shelf.details) = (8, 9, ["k": .byte(1)])
        await stage.server.update(Stage.root, to: shelf)
        let signal = try #require(await next(signals))
        #expect(signal.interface == Self.properties)
        #expect(signal.sender == stage.service.uniqueName)
        #expect(signal.body[0] == .string("org.example1.Shelf"))
        #expect(signal.body[1].dictionary == ["Size": .uint64(8), "Used": .uint64(9)])
        #expect(signal.body[2].strings == ["Details"])
        #expect(try await stage.get(Stage.root, "Secret") == .uint32(1))
    }

    @Test func updatesOfWhatIsNotThereDoNothing() async throws {
        let stage = try await staged()
        #expect(await !stage.server.update("/nowhere", to: Shelf()))
        #expect(await !stage.server.update(Stage.root, to: "another type"))
        #expect(await stage.server.object(at: Stage.root, as: String.self) == nil)
        #expect(await !stage.server.remove("/nowhere"))
    }

    @Test func declaredSignalsOnly() async throws {
        let stage = try await staged()
        let signals = try await stage.client.signals(interface: "org.example1.Shelf")
        try await stage.server.emit(Stage.root, Shelf.interface, "Moved", "left", UInt32(2))
        #expect(await next(signals)?.body == [.string("left"), .uint32(2)])
        #expect(await failure { try stage.server.emit(Stage.root, Shelf.interface, "Moved", "left") } != nil)
        #expect(await failure { try stage.server.emit(Stage.root, Shelf.interface, "Nope") } != nil)
    }

    @Test func logControl() async throws {
        let stage = try await Stage.set { call in
            if call.member == "Set", stageRefuses.withLock({ $0 }) { throw BusError.accessDenied("no") }
        }
        let state = Locked((level: "info", target: "journal"))
        await stage.server.export(
            LogControl(
                identifier: "example", level: { state.withLock { $0.level } },
                setLevel: { level in
                    guard level == "debug" else { throw BusError.invalidArguments("'\(level)' is no level.") }
                    state.withLock { $0.level = level }
                }, target: { state.withLock { $0.target } }, setTarget: { target in state.withLock { $0.target = target } }),
            allow: .action("org.example1.log"))
        let set: @Sendable (Variant) async -> BusError? = { value in
            await failure {
                _ = try await stage.client.call(
                    Stage.name, LogControl.path, Self.properties, "Set",
                    dynamic: [.string("org.freedesktop.LogControl1"), .string("LogLevel"), .variant(value)])
            }
        }
        #expect(await set(.string("debug")) == nil)
        #expect(await set(.string("loud"))?.message == "'loud' is no level.")
        #expect(await set(.byte(1))?.name == "org.freedesktop.DBus.Error.InvalidArgs")
        stageRefuses.withLock { $0 = true }
        #expect(await set(.string("debug"))?.name == "org.freedesktop.DBus.Error.AccessDenied")
        #expect(stage.asked.withLock { $0.count } == 3)
        let (_, text) = try await output(
            "/usr/bin/busctl",
            ["--address=\(stage.bus.address)", "introspect", Stage.name, LogControl.path.description, "org.freedesktop.LogControl1"])
        let lines = text.split(separator: "\n").map { $0.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
        #expect(lines.contains(".LogLevel property s \"debug\" writable"))
        #expect(lines.contains(".SyslogIdentifier property s \"example\" -"))
    }
}

private let stageRefuses = Locked(false)
