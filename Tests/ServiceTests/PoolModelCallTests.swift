// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern
import TestSupport
import Testing

/// Every pool type over D-Bus: settings, XML and the property Settings are one model.
@Suite struct PoolModelCallTests {
    @Test func `a pool of every type goes round settings, XML and the property, and over a restart`() async throws {
        try await Harness.run { harness in
            var dice = Dice(seed: 4, round: 0)
            var before: [ObjectPath: [String: Variant]] = [:]
            for type in Cistern.PoolModel.all.keys.sorted() {
                for share in [0, 100] {
                    let sample = PoolDefinition.sample(type, share: share, &dice)
                    let name = "\(type)-\(share)"
                    let pool = try await harness.define(name, as: type, sample.settings.mapValues { $0.variant })
                    let settings = try await harness.settings(of: pool)
                    for (key, value) in sample.settings { #expect(settings[key] == value.variant, "\(type): \(key)") }

                    let xml = try await harness.xml(of: pool)
                    let replaced = try await harness.call(
                        Harness.manager, Harness.managerInterface, "DefinePoolXML", xml, ["replace": Variant.bool(true)],
                        returning: ObjectPath.self)
                    #expect(replaced == pool)
                    #expect(try await harness.settings(of: pool) == settings, "\(xml)")
                    _ = try await harness.define(name, as: type, settings, ["replace": .bool(true)])
                    #expect(try await harness.xml(of: pool) == xml)
                    before[pool] = settings
                }
            }
            try await harness.restart()
            for (pool, settings) in before { #expect(try await harness.settings(of: pool) == settings) }
        }
    }

    @Test func `a type without a backend is described, kept, and refused at Start with its reason`() async throws {
        try await Harness.run { harness in
            let pool = try await harness.define("vg0", as: "logical", [:])
            #expect(try await harness.settings(of: pool) == ["source.name": .string("vg0")], "what goes without saying is said")
            let types = try await harness.call(
                Harness.manager, Harness.managerInterface, "GetPoolTypes", [String: Variant](), returning: [String: [String: Variant]].self)
            let logical = try #require(types["logical"])
            let reason = try #require(logical["reason"]?.text)
            #expect(logical["available"] == .bool(false) && !reason.isEmpty)
            #expect(logical["settings"]?.stringDictionary?["source.thin-pool"] == "s")
            #expect(logical["pool-formats"] == .strings(["lvm2", "unknown"]))
            let capabilities = try #require(try await harness.properties(pool, Harness.poolInterface)["Capabilities"]?.stringDictionary)
            #expect(capabilities["Pool.Start"] == reason)
            await expectError("NotSupported") { _ = try await harness.job(pool, "Start", ["wait": .bool(true)]) }
            #expect(try await harness.property(pool, Harness.poolInterface, "State", as: String.self) == "inactive")
        }
    }

    private static let mistakes: [(type: String, settings: [String: Variant], expected: String)] = [
        ("fs", ["target.path": .string("/mnt")], "needs the setting “source.devices”"),
        (
            "fs", ["target.path": .string("mnt"), "source.devices": .strings(["/dev/sdb"])],
            "“target.path” of pool p must be an absolute path"
        ),
        ("fs", ["target.path": .string("/m"), "source.devices": .strings(["/dev/a", "/dev/b"])], "must name one device"),
        (
            "disk", ["source.devices": .strings(["/dev/sdb"]), "source.format": .string("amiga")],
            "“source.format” of pool p must be one of"
        ),
        ("logical", ["source.hosts": .array("(sq)", [])], "have no setting “source.hosts”"),
        ("scsi", ["source.adapter": .dictionary(["type": .string("fc_host")])], "needs “wwnn” and “wwpn”"),
        ("scsi", ["source.adapter": .string("host5")], "must be of D-Bus type a{sv}"),
        ("mpath", ["target.mode": .uint32(0o1777)], "“target.mode” of pool p must be permission bits"),
    ]

    @Test(arguments: mistakes) func `a wrong setting is refused by name`(
        _ mistake: (type: String, settings: [String: Variant], expected: String)
    ) async throws {
        try await Harness.run { harness in
            do {
                _ = try await harness.define("p", as: mistake.type, mistake.settings)
                Issue.record("was accepted: \(mistake)")
            } catch let error as BusError {
                #expect(error.name == invalidArgs && error.message.contains(mistake.expected), "\(error.message)")
            }
        }
    }

    @Test func `a user and a secret come together`() async throws {
        try await Harness.run { harness in
            let target: [String: Variant] = [
                "source.hosts": .array("(sq)", [.structure([.string("server"), .uint16(3260)])]),
                "source.target": .string("iqn.2026-01.org.example:a"),
            ]
            func define(_ more: [String: String]) async throws {
                _ = try await harness.define("p", as: "iscsi", target.merging(more.mapValues { Variant.string($0) }) { $1 })
            }
            let uuid = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
            await expectError(invalidArgs) { try await define(["source.user": "u"]) }
            await expectError(invalidArgs) { try await define(["source.secret": "s"]) }
            await expectError(invalidArgs) { try await define(["source.user": "u", "source.secret": "s", "source.secret-uuid": uuid]) }
            try await define(["source.user": "u", "source.secret-uuid": uuid])
        }
    }
}

extension Harness {
    fileprivate func define(
        _ name: String, as type: String, _ settings: [String: Variant], _ options: [String: Variant] = [:]
    ) async throws -> ObjectPath {
        try await call(Self.manager, Self.managerInterface, "DefinePool", name, type, settings, options, returning: ObjectPath.self)
    }

    fileprivate func settings(of pool: ObjectPath) async throws -> [String: Variant] {
        try await properties(pool, Self.poolInterface)["Settings"]?.dictionary ?? [:]
    }

    fileprivate func xml(of pool: ObjectPath) async throws -> String {
        try await call(pool, Self.poolInterface, "GetXML", [String: Variant](), returning: String.self)
    }
}

extension Value {
    /// The value as a client sends it.
    fileprivate var variant: Variant {
        switch self {
        case .bool(let value): .bool(value)
        case .uint32(let value): .uint32(value)
        case .uint64(let value): .uint64(value)
        case .double(let value): .double(value)
        case .string(let value): .string(value)
        case .strings(let value): .strings(value)
        case .hosts(let value): .array("(sq)", value.map { .structure([.string($0.name), .uint16($0.port)]) })
        case .map(let value): .dictionary(value.mapValues { $0.variant })
        }
    }
}
