// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Foundation
import TestSupport
import Testing

@Suite struct MethodTests {
    private func staged(authorize: @escaping @LoopActor (Call) async throws -> Void = { _ in }) async throws -> Stage {
        let stage = try await Stage.set(authorize: authorize)
        await stage.server.export(Shelf(), at: Stage.root, [Shelf.interface])
        return stage
    }

    @Test func argumentsAndResults() async throws {
        let stage = try await staged()
        #expect(try await stage.call(Stage.root, "Echo", "hello", returning: String.self) == "hello")
        try await stage.call(Stage.root, "Nothing")
        let any = Variant.array("(sv)", [.structure([.string("a"), .variant(.byte(1))])])
        let pairs = [Struct("x", UInt64(1)), Struct("y", UInt64(2))]
        let (back, same) = try await stage.call(
            Stage.root, "Shapes", ["k": Variant.bool(true)], pairs, any, returning: Variant.self, [Struct<String, UInt64>].self)
        #expect(back == any)
        #expect(same == pairs)
    }

    @Test func callsWithoutTypes() async throws {
        let stage = try await staged()
        let results = try await stage.client.call(
            Stage.name, Stage.root, "org.example1.Shelf", "Make",
            dynamic: [.string("a b"), .uint64(1), .dictionary(["mode": .byte(4)])])
        #expect(results == [.path("/org/example1/things/a_20b"), .path("/")])
    }

    @Test func resultsOfOtherTypesAreAnError() async throws {
        let stage = try await staged()
        let error = await failure { _ = try await stage.call(Stage.root, "Echo", "x", returning: UInt32.self) }
        #expect(error?.message.contains("returned (s), not (u)") == true)
    }

    @Test func standardErrors() async throws {
        let stage = try await staged()
        let cases: [(ObjectPath, String, String, [Variant], String, String)] = [
            ("/nowhere", "org.example1.Shelf", "Echo", [], "UnknownObject", "There is no object /nowhere"),
            (Stage.root, "org.example1.Nope", "Echo", [], "UnknownInterface", "org.example1.Shelf"),
            (Stage.root, "org.example1.Shelf", "Nope", [], "UnknownMethod", "Echo"),
            (Stage.root, "org.example1.Shelf", "Echo", [], "InvalidArgs", "takes (s): text s, but was called with ()"),
            (Stage.root, "org.example1.Shelf", "Echo", [.uint32(1)], "InvalidArgs", "(u)"),
            (Stage.root, "org.freedesktop.DBus.Properties", "Nope", [], "UnknownMethod", "Get"),
            (Stage.root, "org.freedesktop.DBus.Properties", "Get", [], "InvalidArgs", "(ss)"),
            (Stage.root, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", [], "UnknownInterface", "/org/example1"),
            (Stage.root, "org.freedesktop.DBus.Introspectable", "Nope", [], "UnknownMethod", "Introspectable"),
            ("/org", "org.example1.Shelf", "Echo", [], "UnknownInterface", "/org"),
            ("/org", "org.freedesktop.DBus.Properties", "GetAll", [.string("")], "UnknownInterface", "/org"),
        ]
        for (path, interface, member, body, name, hint) in cases {
            let error = await failure { _ = try await stage.client.call(Stage.name, path, interface, member, dynamic: body) }
            #expect(error?.name == "org.freedesktop.DBus.Error." + name, "\(path) \(interface) \(member)")
            #expect(error?.message.contains(hint) == true, "\(error?.message ?? "") has no '\(hint)'")
        }
    }

    @Test func peerIsAnswered() async throws {
        let stage = try await staged()
        try await stage.client.call(Stage.name, "/anything", "org.freedesktop.DBus.Peer", "Ping")
        let machine = try await stage.client.call(
            Stage.name, "/", "org.freedesktop.DBus.Peer", "GetMachineId", returning: String.self)
        #expect(machine.utf8.count == 32)
    }

    @Test func handlerErrors() async throws {
        let stage = try await staged()
        let fail: @Sendable (String) async -> BusError? = { how in
            await failure { try await stage.call(Stage.root, "Fail", how) }
        }
        #expect(await fail("bus") == BusError("org.example1.Error.Odd", "It is odd."))
        #expect(await fail("other") == BusError("org.example1.Error.Failed", "mapped Broken"))
        #expect(await fail("name") == BusError("org.freedesktop.DBus.Error.Failed", "two halves"))
    }

    @Test func aReplyOtherThanDeclaredIsAnError() async throws {
        let stage = try await staged()
        let error = await failure { _ = try await stage.call(Stage.root, "Wrong", returning: UInt32.self) }
        #expect(error?.name == "org.freedesktop.DBus.Error.Failed")
    }

    // MARK: Options

    @Test func optionsOfAnyIntegerType() async throws {
        let stage = try await staged()
        let values: [Variant] = [.byte(7), .int16(7), .uint16(7), .int32(7), .uint32(7), .int64(7), .uint64(7)]
        for value in values {
            for key in ["mode", "offset", "small"] {
                _ = try await stage.call(Stage.root, "Make", "n", UInt64(1), [key: value], returning: ObjectPath.self, ObjectPath.self)
            }
        }
        let all: [String: Variant] = [
            "label": .string("l"), "force": .bool(true), "fields": .strings(["a"]), "offset": .int64(-1), "mode": .uint64(0xffff_ffff),
        ]
        _ = try await stage.call(Stage.root, "Make", "n", UInt64(1), all, returning: ObjectPath.self, ObjectPath.self)
    }

    @Test(arguments: [
        (["nope": Variant.bool(true)], "'nope'; the options are fields, force, handle, label, mode, offset, small"),
        (["mode": .string("1")], "'mode' must be an integer, for example of type u, not s"),
        (["label": .byte(1)], "'label' must be of type s, not y"), (["mode": .uint64(1 << 32)], "'mode' is out of range"),
        (["mode": .int32(-1)], "'mode' is out of range"), (["small": .uint16(256)], "'small' is out of range"),
        (["offset": .uint64(.max)], "'offset' is out of range"), (["mode": .variant(.uint32(1))], "not v"),
    ])
    func wrongOptions(_ options: [String: Variant], _ hint: String) async throws {
        let stage = try await staged()
        let error = await failure {
            _ = try await stage.call(Stage.root, "Make", "n", UInt64(1), options, returning: ObjectPath.self, ObjectPath.self)
        }
        #expect(error?.name == "org.freedesktop.DBus.Error.InvalidArgs")
        #expect(error?.message.contains(hint) == true, "\(error?.message ?? "")")
        #expect(stage.asked.withLock { $0 } == [], "arguments are checked before authorization")
    }

    @Test func anUnknownOptionOfAnySizeCostsNothing() async throws {
        let stage = try await staged()
        let bytes = Variant.array("s", Array(repeating: .string("x"), count: 400_000))
        let unknown = await failure {
            _ = try await stage.call(Stage.root, "Make", "n", UInt64(1), ["x": bytes], returning: ObjectPath.self, ObjectPath.self)
        }
        #expect(unknown?.name == "org.freedesktop.DBus.Error.InvalidArgs")
        let tooMany = await failure {
            _ = try await stage.call(Stage.root, "Make", "n", UInt64(1), ["fields": bytes], returning: ObjectPath.self, ObjectPath.self)
        }
        #expect(tooMany?.name == "org.freedesktop.DBus.Error.LimitsExceeded")
    }

    // MARK: Authorization

    @Test func authorizationComesAfterChecksAndBeforeTheHandler() async throws {
        let stage = try await staged { call in
            #expect(call.member == "Make")
            throw BusError.accessDenied("no")
        }
        let log = try #require(await stage.server.object(at: Stage.root, as: Shelf.self)).log
        let wrong = await failure { _ = try await stage.call(Stage.root, "Make", "n", returning: ObjectPath.self, ObjectPath.self) }
        #expect(wrong?.name == "org.freedesktop.DBus.Error.InvalidArgs")
        #expect(stage.asked.withLock { $0 } == [])
        let denied = await failure {
            _ = try await stage.call(
                Stage.root, "Make", "n", UInt64(1), [String: Variant](), returning: ObjectPath.self, ObjectPath.self)
        }
        #expect(denied == .accessDenied("no"))
        #expect(stage.asked.withLock { $0 } == ["org.example1.make shelf"])
        #expect(log.withLock { $0 } == [])
        _ = try await stage.call(Stage.root, "Echo", "open to everyone", returning: String.self)
        #expect(stage.asked.withLock { $0.count } == 1)
    }

    @Test func anObjectThatWentDuringAuthorizationIsNotTouched() async throws {
        let gate = Locked<(@LoopActor @Sendable () -> Void)?>(nil)
        let stage = try await staged { _ in
            gate.withLock { $0 }?()
            await Task.yield()
        }
        let log = try #require(await stage.server.object(at: Stage.root, as: Shelf.self)).log
        let make: @LoopActor @Sendable () async throws -> Void = {
            _ = try await stage.call(
                Stage.root, "Make", "n", UInt64(1), ["mode": Variant.byte(1)], returning: ObjectPath.self, ObjectPath.self)
        }
        gate.withLock { $0 = { stage.server.update(Stage.root, to: Shelf(name: "newer", log: log)) } }
        try await make()
        gate.withLock { $0 = { stage.server.remove(Stage.root) } }
        #expect(await failure(make)?.name == "org.freedesktop.DBus.Error.UnknownObject")
        #expect(log.withLock { $0 } == ["make n 1 1"])
    }

    @Test func theCallerIsWhoTheBusSays() async throws {
        let stage = try await staged()
        #expect(try await stage.call(Stage.root, "WhoAmI", returning: UInt32.self) == getuid())
    }

    // MARK: Callers

    @Test func callersThatVanishHarmNobody() async throws {
        let stage = try await staged()
        for _ in 0..<20 {
            let other = try await stage.bus.connect("vanishing")
            let call = Task { @LoopActor in
                try await other.call(Stage.name, Stage.root, "org.example1.Shelf", "Wait", UInt32(20_000))
            }
            _ = try await other.call(Stage.name, Stage.root, "org.example1.Shelf", "Echo", "x", returning: String.self)
            await other.close()
            #expect(await failure { _ = try await call.value }?.name == "org.freedesktop.DBus.Error.Disconnected")
        }
        #expect(try await stage.call(Stage.root, "Echo", "still here", returning: String.self) == "still here")
    }

    @Test func aCancelledCallEndsAtOnce() async throws {
        let stage = try await staged()
        let call = Task { @LoopActor in try await stage.call(Stage.root, "Wait", UInt32(600_000)) }
        _ = try await stage.call(Stage.root, "Echo", "the call is on its way", returning: String.self)
        call.cancel()
        await #expect(throws: CancellationError.self) { try await call.value }
        let early = Task { @LoopActor in
            withUnsafeCurrentTask { $0?.cancel() }
            try await stage.call(Stage.root, "Nothing")
        }
        await #expect(throws: CancellationError.self) { try await early.value }
    }

    @Test func aCallTimesOut() async throws {
        let stage = try await staged()
        let error = await failure {
            try await stage.client.call(
                Stage.name, Stage.root, "org.example1.Shelf", "Wait", UInt32(600_000), timeout: .milliseconds(20))
        }
        #expect(error != nil && error?.name != "other", "\(String(describing: error))")
    }

    @Test func slowCallsHoldUpNobody() async throws {
        let stage = try await staged()
        let slow = (0..<50).map { _ in Task { @LoopActor in try await stage.call(Stage.root, "Wait", UInt32(600_000)) } }
        for _ in 0..<10 { _ = try await stage.call(Stage.root, "Echo", "x", returning: String.self) }
        for call in slow { call.cancel() }
        for call in slow { await #expect(throws: CancellationError.self) { try await call.value } }
    }

    @Test func afterTheReply() async throws {
        let stage = try await staged()
        struct Late: Sendable {
            let emit: @LoopActor @Sendable () -> Void
            @LoopActor func go() { Call.current?.afterReply(emit) }
        }
        let interface = Interface<Late>("org.example1.Late", "") { Method("Go", "", allow: .everyone, call: Late.go) }
        let order = Locked<[String]>([])
        await stage.server.export(
            Late { try? stage.service.emit("/late", "org.example1.Late", "After", "x") }, at: "/late", [interface])
        let signals = try await stage.client.signals(interface: "org.example1.Late")
        let listener = Task { @LoopActor in
            for await _ in signals {
                order.withLock { $0.append("signal") }
                return
            }
        }
        try await stage.client.call(Stage.name, "/late", "org.example1.Late", "Go")
        order.withLock { $0.append("reply") }
        await listener.value
        #expect(order.withLock { Set($0) } == ["reply", "signal"])
    }
}
