// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Foundation
import TestSupport
import Testing

/// Every type there and back over a socket, through both sides' codecs.
@Suite struct CodecTests {
    /// Two connected peers; the first one's server echoes what `Echo` of "/" gets.
    @LoopActor
    private func pair() throws -> (Connection, ObjectServer, Connection) {
        var sockets: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &sockets) == 0)
        let service = try Connection.peer(descriptor: sockets[0], server: true)
        let server = ObjectServer(service, authorize: { _, _, _ in })
        return (service, server, try Connection.peer(descriptor: sockets[1], server: false))
    }

    struct Mirror<T: DBusType & Equatable>: Sendable {
        @LoopActor func echo(_ value: T) -> T { value }
        static func interface() -> Interface<Mirror<T>> {
            Interface("org.example1.Mirror", "") {
                Method("Echo", "", takes: "value", gives: "value", allow: .everyone, call: Mirror<T>.echo)
            }
        }
    }

    @LoopActor
    private func roundTrip<T: DBusType & Equatable>(_ values: T..., at location: SourceLocation = #_sourceLocation) async throws {
        Loop.shared.startThread()
        let (service, server, client) = try pair()
        defer {
            client.close()
            service.close()
        }
        server.export(Mirror<T>(), at: "/", [Mirror<T>.interface()])
        for value in values {
            let back = try await client.call("", "/", "org.example1.Mirror", "Echo", value, returning: T.self)
            #expect(back == value, sourceLocation: location)
        }
    }

    @Test func numbers() async throws {
        Loop.shared.startThread()
        try await roundTrip(true, false)
        try await roundTrip(UInt8.min, UInt8.max)
        try await roundTrip(Int16.min, Int16.max)
        try await roundTrip(UInt16.min, UInt16.max)
        try await roundTrip(Int32.min, -1, Int32.max)
        try await roundTrip(UInt32.min, UInt32.max)
        try await roundTrip(Int64.min, Int64.max)
        try await roundTrip(UInt64.min, UInt64.max)
        try await roundTrip(0.0, -1.5, Double.greatestFiniteMagnitude, Double.infinity)
    }

    @Test func texts() async throws {
        Loop.shared.startThread()
        try await roundTrip("", "a", "é 漢字 🪣", String(repeating: "long ", count: 10_000))
        try await roundTrip(ObjectPath.root, "/a/b_c/D9")
        try await roundTrip(try #require(Signature("")), try #require(Signature("a{sv}(iu)as")))
    }

    @Test func containers() async throws {
        Loop.shared.startThread()
        try await roundTrip([String](), ["x", ""])
        try await roundTrip([UInt64](), [1, 2])
        try await roundTrip([[String]](), [[], ["a"], []])
        try await roundTrip([String: String](), ["a": "b", "": ""])
        try await roundTrip([ObjectPath: [String: [String: Variant]]](), ["/x": ["i": ["p": .bool(true)], "e": [:]]])
        try await roundTrip(Struct("a", UInt64(1)), Struct("", UInt64(0)))
        try await roundTrip([Struct("a", [Struct(UInt8(1), ["k": Variant.strings([])])])])
    }

    @Test func variantsOfEveryType() async throws {
        Loop.shared.startThread()
        let scalars: [Variant] = [
            .bool(true), .byte(7), .int16(-7), .uint16(7), .int32(-7), .uint32(7), .int64(-7), .uint64(7), .double(0.5), .string("s"),
            .path("/p"), .signature(try #require(Signature("a{sv}"))), .variant(.variant(.byte(1))),
        ]
        try await roundTrip(scalars)
        try await roundTrip(
            Variant.array("y", []), .array("a{sv}", [.dictionary([String: Variant]()), .dictionary(["k": .path("/")])]),
            .structure(scalars), .structure([.structure([.structure([.bool(false)])])]),
            .dictionary("u", "(ss)", [.init(.uint32(1), .structure([.string("a"), .string("b")]))]),
            .dictionary("o", "a{sa{sv}}", []))
    }

    @Test func deepNesting() async throws {
        Loop.shared.startThread()
        var deep = Variant.byte(1)
        for _ in 0..<30 { deep = .variant(deep) }
        try await roundTrip(deep)
        // Deeper than D-Bus allows: an error and no more.
        for _ in 0..<200 { deep = .variant(deep) }
        let error = await failure { [deep] in try await roundTrip(deep) }
        #expect(error != nil)
    }

    @Test func textsWithNULAreRefused() async throws {
        Loop.shared.startThread()
        for body: @LoopActor @Sendable () async throws -> Void in [
            { try await roundTrip("a\0b") }, { try await roundTrip(["k\0": "v"]) }, { try await roundTrip(Variant.string("\0")) },
        ] {
            #expect(await failure(body)?.name == "org.freedesktop.DBus.Error.InvalidArgs")
        }
    }

    @Test func valuesOtherThanTheTypeTheyClaimAreRefused() async throws {
        Loop.shared.startThread()
        for value in [
            Variant.array("s", [.byte(1)]), .dictionary("s", "v", [.init(.byte(1), .variant(.byte(1)))]), .structure([]), .array("!", []),
            .dictionary("v", "s", []),
        ] {
            #expect(await failure { try await roundTrip(value) } != nil, "\(value)")
        }
    }

    @Test func integersOfAnyTypeCompare() {
        let sevens: [Variant] = [.byte(7), .int16(7), .uint16(7), .int32(7), .uint32(7), .int64(7), .uint64(7)]
        #expect(sevens.allSatisfy { $0.unsigned == 7 && $0.signed == 7 })
        #expect([Variant.int16(-1), .int32(-1), .int64(-1), .double(1), .bool(true)].allSatisfy { $0.unsigned == nil })
        #expect(Variant.uint64(.max).signed == nil)
    }

    @Test(arguments: ["", "a", "//", "/a/", "/a//b", "/a-b", "/ä", "a/b", "/a\0"])
    func notAPath(_ text: String) { #expect(ObjectPath(text) == nil) }

    @Test(arguments: ["", "plain", "1st", "a b", "ä", "_", "a/b", "x.y-z", "9", "\u{1F4A7}"])
    func labelsAreReversible(_ text: String) throws {
        let path = ObjectPath.encode("/org/example1", text)
        #expect(ObjectPath(path.description) == path)
        #expect(ObjectPath.decode(path, below: "/org/example1") == text)
        #expect(path.parent == "/org/example1")
    }

    @Test(arguments: [("a{sv}", 1), ("sa(ii)v", 3), ("", 0), ("aa{s(a{uv}as)}", 1)])
    func signatures(_ text: String, _ count: Int) { #expect(Signature(text)?.types.count == count) }

    @Test(arguments: ["a", "(", "()", "{sv}", "a{vs}", "a{s}", "(s", "z", "a{svs}", String(repeating: "a", count: 300)])
    func notASignature(_ text: String) { #expect(Signature(text) == nil) }
}
