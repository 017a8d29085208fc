// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@Suite struct PoolCallTests {
    @Test func `a pool is defined, started, stopped, undefined; its objects come and go with it`() async throws {
        try await Harness.run { harness in
            let directory = harness.root + "/data"
            let pool = try await harness.define("my pool", directory)
            #expect(try await harness.property(pool, Harness.poolInterface, "State", as: String.self) == "inactive")
            let label = pool.lastLabel
            #expect(try await harness.managed(ObjectPath("/org/cistern1/volumes/" + label) ?? "/").isEmpty, "exists, empty, while inactive")

            _ = try await harness.call(pool, Harness.poolInterface, "Build", ["wait": Variant.bool(true)], returning: ObjectPath.self)
            #expect(fileStatus(directory).map { $0.st_mode & S_IFMT } == S_IFDIR)
            _ = try await harness.call(pool, Harness.poolInterface, "Start", ["wait": Variant.bool(true)], returning: ObjectPath.self)
            let properties = try await harness.properties(pool, Harness.poolInterface)
            #expect(properties["State"] == .string("active") && properties["Watch"] == .string("inotify"))
            #expect(properties["TargetPath"] == .string(directory) && properties["Type"] == .string("dir"))
            #expect((properties["Capacity"]?.unsigned ?? 0) > 0 && properties["Capacity"]?.unsigned != .max)
            let nothing = try await harness.call(pool, Harness.poolInterface, "Start", [String: Variant](), returning: ObjectPath.self)
            #expect(nothing == "/", "what changes nothing makes no job")

            await expectError("Busy") { try await harness.call(pool, Harness.poolInterface, "Undefine", [String: Variant]()) }
            _ = try await harness.call(pool, Harness.poolInterface, "Stop", ["wait": Variant.bool(true)], returning: ObjectPath.self)
            try await harness.call(pool, Harness.poolInterface, "Undefine", [String: Variant]())
            #expect(try await harness.managed("/org/cistern1/pools").isEmpty)
            #expect(fileStatus(directory) != nil, "Undefine never touches data")
            await expectError("org.freedesktop.DBus.Error.UnknownObject") { _ = try await harness.properties(pool, Harness.poolInterface) }
        }
    }

    @Test func `Delete needs the UUID, an inactive pool, and an empty directory`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let uuid = try await harness.property(pool, Harness.poolInterface, "UUID", as: String.self)
            @LoopActor func delete(_ options: [String: Variant]) async throws {
                _ = try await harness.call(
                    pool, Harness.poolInterface, "Delete", options.merging(["wait": .bool(true)]) { old, _ in old },
                    returning: ObjectPath.self)
            }
            await expectError(invalidArgs) { try await delete([:]) }
            await expectError("Busy") { try await delete(["confirm": .string(uuid)]) }
            _ = try await harness.create(pool, "a", 4096)
            _ = try await harness.call(pool, Harness.poolInterface, "Stop", ["wait": Variant.bool(true)], returning: ObjectPath.self)
            await expectError("Busy") { try await delete(["confirm": .string(uuid)]) }
            #expect(entries(directory) == ["a"])
            unlink(directory + "/a")
            try await delete(["confirm": .string(uuid)])
            #expect(fileStatus(directory) == nil)
            #expect(try await harness.property(pool, Harness.poolInterface, "State", as: String.self) == "inactive")
        }
    }

    @Test func `lookups find what is there, and say NotFound of what is not`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let (volume, _) = try await harness.create(pool, "v", 4096)
            let uuid = try await harness.property(pool, Harness.poolInterface, "UUID", as: String.self)
            let key = try await harness.property(volume, Harness.volumeInterface, "Key", as: String.self)
            @LoopActor func find(_ member: String, _ what: String) async throws -> ObjectPath {
                try await harness.call(
                    Harness.manager, Harness.managerInterface, member, what, [String: Variant](), returning: ObjectPath.self)
            }
            #expect(try await find("GetPool", "p") == pool)
            #expect(try await find("GetPoolByUUID", uuid) == pool)
            #expect(try await find("GetPoolByTargetPath", directory + "/") == pool)
            #expect(try await find("GetVolumeByPath", directory + "/v") == volume)
            #expect(try await find("GetVolumeByKey", key) == volume)
            #expect(
                try await harness.call(pool, Harness.poolInterface, "GetVolume", "v", [String: Variant](), returning: ObjectPath.self)
                    == volume)
            for member in ["GetPool", "GetPoolByUUID", "GetPoolByTargetPath", "GetVolumeByPath", "GetVolumeByKey"] {
                await expectError("NotFound") { _ = try await find(member, "/nowhere") }
            }
        }
    }

    @Test func `a definition survives a restart, with Settings that define the same pool again`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            try await harness.call(pool, Harness.poolInterface, "SetAutostart", true, [String: Variant]())
            let before = try await harness.properties(pool, Harness.poolInterface)
            try await harness.restart()
            let owner = try await harness.properties(pool, Harness.poolInterface)
            #expect(owner["UUID"] == before["UUID"] && owner["Settings"] == before["Settings"] && owner["Autostart"] == .bool(true))
            try await harness.becomes("active", pool)

            _ = try await harness.call(pool, Harness.poolInterface, "Stop", ["wait": Variant.bool(true)], returning: ObjectPath.self)
            let settings = try #require(before["Settings"]?.dictionary)
            let again = try await harness.call(
                Harness.manager, Harness.managerInterface, "DefinePool", "p", "dir", settings, ["replace": Variant.bool(true)],
                returning: ObjectPath.self)
            #expect(again == pool && settings["target.path"] == .string(directory))
            #expect(try await harness.properties(pool, Harness.poolInterface)["Settings"] == before["Settings"])
        }
    }

    @Test func `XML in, XML out, the same pool`() async throws {
        try await Harness.run { harness in
            let xml = "<pool type='dir'><name>x</name><target><path>\(harness.root)/x</path></target></pool>"
            let pool = try await harness.call(
                Harness.manager, Harness.managerInterface, "DefinePoolXML", xml, [String: Variant](), returning: ObjectPath.self)
            let text = try await harness.call(
                pool, Harness.poolInterface, "GetXML", ["compatible": Variant.bool(true)], returning: String.self)
            #expect(text.contains("<name>x</name>") && text.contains("<path>\(harness.root)/x</path>"))
            await expectError("InvalidXML") {
                _ = try await harness.call(
                    Harness.manager, Harness.managerInterface, "DefinePoolXML", "<pool type='dir'><nam", [String: Variant](),
                    returning: ObjectPath.self)
            }
            await expectError("InvalidXML") {
                let bad = "<pool type='dir'><name>y</name><target><path>/y</path></target><nonsense/></pool>"
                _ = try await harness.call(
                    Harness.manager, Harness.managerInterface, "DefinePoolXML", bad, [String: Variant](), returning: ObjectPath.self)
            }
        }
    }

    @Test func `one directory belongs to one pool, however it is spelled`() async throws {
        try await Harness.run { harness in
            let (_, directory) = try await harness.startedPool("first")
            symlink(directory, harness.root + "/link")
            for (name, spelling) in [("dots", harness.root + "/x/../first"), ("link", harness.root + "/link")] {
                mkdir(harness.root + "/x", 0o755)
                let pool = try await harness.define(name, spelling)
                await expectError("Exists") {
                    _ = try await harness.call(
                        pool, Harness.poolInterface, "Start", ["wait": Variant.bool(true)], returning: ObjectPath.self)
                }
            }
        }
    }

    @Test func `types and capabilities tell what can be done and why not`() async throws {
        try await Harness.run { harness in
            let types = try await harness.call(
                Harness.manager, Harness.managerInterface, "GetPoolTypes", [String: Variant](), returning: [String: [String: Variant]].self)
            #expect(types["dir"]?["available"] == .bool(true))
            #expect(types["simulated"] == nil, "only behind --simulate")
            let (pool, _) = try await harness.startedPool()
            let capabilities = try #require(try await harness.properties(pool, Harness.poolInterface)["Capabilities"]?.stringDictionary)
            #expect(capabilities["Pool.CreateVolume"] == "" && capabilities["Volume.Resize"] == "")
            #expect(capabilities["Volume.Wipe"]?.isEmpty == false)
            let (volume, _) = try await harness.create(pool, "v", 4096)
            await expectError("NotSupported") {
                _ = try await harness.call(volume, Harness.volumeInterface, "Wipe", "zero", [String: Variant](), returning: ObjectPath.self)
            }
        }
    }

    @Test func `a simulated pool is offered behind --simulate`() async throws {
        try await Harness.run(simulate: true) { harness in
            let pool = try await harness.call(
                Harness.manager, Harness.managerInterface, "DefinePool", "s", "simulated", [String: Variant](),
                ["transient": Variant.bool(true)],
                returning: ObjectPath.self)
            _ = try await harness.call(pool, Harness.poolInterface, "Start", ["wait": Variant.bool(true)], returning: ObjectPath.self)
            _ = try await harness.create(pool, "v", 1 << 40)
            await expectError("NotSupported") { _ = try await harness.job(pool, "Stop", ["wait": .bool(true), "lazy": .bool(true)]) }
            #expect(try await harness.property(pool, Harness.poolInterface, "VolumeCount", as: UInt32.self) == 1)
            _ = try await harness.call(pool, Harness.poolInterface, "Stop", ["wait": Variant.bool(true)], returning: ObjectPath.self)
            #expect(try await harness.managed("/org/cistern1/pools").isEmpty, "transient: forgotten at Stop")
        }
    }

    @Test func `bad arguments get typed errors`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            for name in ["", ".", "..", "a/b", ".cistern-x", "a\nb", String(repeating: "n", count: 256)] {
                await expectError(invalidArgs) { _ = try await harness.create(pool, name, 4096) }
                await expectError(invalidArgs) { _ = try await harness.define(name, "/nowhere") }
            }
            for capacity in [0, 1 << 63, UInt64.max] {
                await expectError(invalidArgs) { _ = try await harness.create(pool, "v", capacity) }
            }
            await expectError(invalidArgs) { _ = try await harness.create(pool, "v", 1, ["nonsense": .bool(true)]) }
            await expectError(invalidArgs) { _ = try await harness.create(pool, "v", 1, ["mode": .string("0644")]) }
            await expectError(invalidArgs) { _ = try await harness.create(pool, "v", 1, ["mode": .uint32(0o4755)]) }
            await expectError(invalidArgs) { _ = try await harness.create(pool, "v", 1, ["mode": .int32(-1)]) }
            await expectError(invalidArgs) { _ = try await harness.create(pool, "v", 1, ["allocation": .string("half")]) }
            await expectError("NotSupported") { _ = try await harness.create(pool, "v", 1, ["format": .string("qcow9")]) }
            await expectError(invalidArgs) { _ = try await harness.define("q", "relative/path") }
            await expectError(invalidArgs) {
                _ = try await harness.call(
                    Harness.manager, Harness.managerInterface, "DefinePool", "q", "dir", ["target.path": Variant.uint32(5)],
                    [String: Variant](),
                    returning: ObjectPath.self)
            }
            await expectError(invalidArgs) {
                _ = try await harness.call(pool, Harness.poolInterface, "CreateVolume", "v", returning: ObjectPath.self, ObjectPath.self)
            }
            await expectError("NoSpace") {
                _ = try await harness.create(pool, "v", 1 << 60, ["allocation": .string("full"), "wait": .bool(true)])
            }
            #expect(entries(directory).isEmpty)
            // Any integer type that holds the value will do.
            _ = try await harness.create(pool, "int", 4096, ["mode": .int64(0o640)])
            #expect(fileStatus(directory + "/int").map { $0.st_mode & 0o7777 } == 0o640)
        }
    }
}

extension Harness {
    /// Waits until a pool is in that state.
    func becomes(_ state: String, _ pool: ObjectPath) async throws {
        let signals = try await client.signals(path: pool, interface: "org.freedesktop.DBus.Properties", member: "PropertiesChanged")
        if try await property(pool, Self.poolInterface, "State", as: String.self) == state { return }
        for await signal in signals {
            if signal.body.count > 1, signal.body[1].dictionary?["State"]?.text == state { return }
        }
    }
}
