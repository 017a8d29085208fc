// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import CLinux
import EventLoop
import Glibc
import Testing

@Suite struct AuthorizationTests {
    /// What everybody may call; everything else must refuse another user.
    private static let open: Set<String> = [
        "GetPool", "GetPoolByUUID", "GetPoolByTargetPath", "GetVolumeByPath", "GetVolumeByKey", "GetPoolTypes", "ListVolumes",
        "CheckAuthorization", "ListSecrets", "GetStatistics", "GetXML", "GetVolume", "GetHolders", "Wait",
    ]

    @Test(.enabled(if: geteuid() == 0, "another user can only be played by root"))
    func `another user may read everything and change nothing`() async throws {
        try await Harness.run(simulate: true) { harness in
            let (pool, directory) = try await harness.startedPool()
            let (volume, _) = try await harness.create(pool, "v", 4096)
            let slow = try await harness.simulatedPool(throttle: 1 << 20)
            let (_, job) = try await harness.create(slow, "long", 1 << 30, ["allocation": .string("full")])
            let stranger = try Self.connect(as: 65534, to: harness.address)
            defer { stranger.close() }

            var called = 0
            for (interface, path) in [
                (Harness.managerInterface, Harness.manager), (Harness.poolInterface, pool), (Harness.volumeInterface, volume),
                (Harness.jobInterface, job),
            ] {
                for method in Self.methods(of: interface) where method.name != "Wait" {
                    called += 1
                    let arguments = try method.inputs.map { try Self.argument($0) }
                    do {
                        _ = try await stranger.call(Harness.service, path, interface, method.name, dynamic: arguments)
                        #expect(Self.open.contains(method.name), "\(interface).\(method.name) let another user in")
                    } catch let error as BusError {
                        let denied = error.name == accessDenied
                        #expect(denied == !Self.open.contains(method.name), "\(interface).\(method.name): \(error.name) \(error.message)")
                    }
                }
            }
            #expect(called >= 40)
            // The rights that Open needs depend on its mode.
            for mode in ["r", "w", "rw"] {
                await expectError(accessDenied) {
                    _ = try await stranger.call(
                        Harness.service, volume, Harness.volumeInterface, "Open", mode, [String: Variant](), returning: UnixDescriptor.self)
                }
            }
            #expect(entries(directory) == ["v"])
            let everything = try await stranger.call(
                Harness.service, "/org/cistern1/pools", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                returning: [ObjectPath: [String: [String: Variant]]].self)
            #expect(everything.count == 2)
            let answers = try await stranger.call(
                Harness.service, Harness.manager, Harness.managerInterface, "CheckAuthorization", ["org.cistern1.volume.create"], pool,
                [String: Variant](), returning: [String: String].self)
            #expect(answers == ["org.cistern1.volume.create": "no"])
            #expect(try await harness.property(job, Harness.jobInterface, "State", as: String.self) == "running")
        }
    }

    struct Declared {
        let name: String
        let inputs: [String]
    }

    /// The methods of a golden document.
    static func methods(of interface: String) -> [Declared] {
        let xml = readFile(GoldenTests.directory + "/\(interface).xml")
        return xml.components(separatedBy: "<method ").dropFirst().map { text in
            let body = text.prefix(upTo: "</method>")
            let inputs = body.components(separatedBy: "<arg ").dropFirst().filter { $0.contains("direction=\"in\"") }
            return Declared(name: attribute("name", in: body), inputs: inputs.map { attribute("type", in: $0) })
        }
    }

    private static func attribute(_ name: String, in text: String) -> String {
        text.components(separatedBy: name + "=\"").dropFirst().first?.prefix(upTo: "\"") ?? ""
    }

    private static func argument(_ type: String) throws -> Variant {
        switch type {
        case "s": .string("r")
        case "o": .path("/")
        case "b": .bool(true)
        case "t": .uint64(1)
        case "u": .uint32(1)
        case "as": .strings([])
        case "h": .descriptor(UnixDescriptor(adopting: Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)))
        case "a{sv}": .dictionary([String: Variant]())
        case "a{ss}": .dictionary([String: String]())
        default: throw BusError.failed("no argument of type \(type)")
        }
    }

    /// A connection whose peer the bus takes for that user: only this thread changes, and only while it connects.
    @LoopActor static func connect(as user: UInt32, to address: String) throws -> Connection {
        try #require(linux_thread_user(user) == 0)
        defer { _ = linux_thread_user(0) }
        return try Connection.open(.custom(address), description: "stranger")
    }
}
