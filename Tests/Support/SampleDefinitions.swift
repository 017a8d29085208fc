// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern

extension PoolDefinition {
    /// A definition that a pool of the type can have: all settings that it needs, and some or all of the others.
    ///
    /// - Parameter share: how many of a hundred settings that may be left out are there.
    public static func sample(_ type: String, share: Int, _ generator: inout some RandomNumberGenerator) -> PoolDefinition {
        guard let model = PoolModel.all[type] else { return PoolDefinition(name: "p", uuid: "", type: type, settings: [:]) }
        var settings: [String: Value] = [:]
        for (key, signature) in model.settings.sorted(by: { $0.key < $1.key }) {
            guard model.required.contains(key) || Int.random(in: 0..<100, using: &generator) < share else { continue }
            settings[key] = .sample(key, signature, model, &generator)
        }
        // They come together, and one secret is enough.
        if settings["source.user"] == nil { settings["source.secret"] = nil }
        if settings["source.user"] != nil, settings["source.secret"] == nil { settings["source.user"] = nil }
        if settings["source.user"] == nil || settings["source.secret"] != nil { settings["source.secret-uuid"] = nil }
        let uuid = "4b9a8f00-6a3f-4c2e-9d51-" + (0..<12).map { _ in String(Int.random(in: 0..<16, using: &generator), radix: 16) }.joined()
        return PoolDefinition(name: "pool-\(Int.random(in: 0..<1000, using: &generator))", uuid: uuid, type: type, settings: settings)
    }
}

extension Value {
    fileprivate static func sample(
        _ key: String, _ signature: String, _ model: PoolModel, _ generator: inout some RandomNumberGenerator
    ) -> Value {
        func number(_ limit: UInt32) -> UInt32 { .random(in: 0...limit, using: &generator) }
        switch (key, signature) {
        case ("source.format", _): return .string(model.formats.randomElement(using: &generator) ?? "")
        case ("target.path", _): return .string(["/srv/pool", "/mnt/a b&<c>'\"ä€"].randomElement(using: &generator) ?? "/")
        case ("source.path", _): return .string("/export/homes")
        case ("source.target", _), ("source.initiator", _): return .string("iqn.2026-01.org.example:disk\(number(9))")
        case ("source.protocol-version", _): return .string("4.\(number(2))")
        case ("source.secret-uuid", _): return .string("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")
        case ("refresh.volume-allocation", _): return .string(Bool.random(using: &generator) ? "default" : "capacity")
        case ("volume.format", _): return .string("qcow2")
        case ("target.mode", _): return .uint32(number(0o777))
        case ("source.devices", _):
            let few = model.type == "fs" || model.type == "disk"
            return .strings((0...(few ? 0 : Int(number(2)))).map { "/dev/sd" + ["b", "c", "d"][$0] })
        case ("source.adapter", _): return .map(adapter(&generator))
        case ("options.rbd", _): return .map(["client_mount_timeout": .string("45"), "rados_mon_op_timeout": .string("2<0>")])
        case ("options.mount", _): return .strings(["noatime", "sec=krb5p"])
        case (_, "b"): return .bool(.random(using: &generator))
        case (_, "u"): return .uint32(number(70000))
        case (_, "as"): return .strings(["one", "two"])
        case (_, "a(sq)"):
            return .hosts((0...number(2)).map { Host(name: "server\($0).example.org", port: Bool.random(using: &generator) ? 0 : 3260) })
        default: return .string("word-\(number(99)) & <more>")
        }
    }

    private static func adapter(_ generator: inout some RandomNumberGenerator) -> [String: Value] {
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: ["type": .string("scsi_host"), "name": .string("host5")]
        case 1: ["type": .string("scsi_host"), "parent-address": .string("0000:00:1f.2"), "unique-id": .uint32(1)]
        case 2:
            [
                "type": .string("fc_host"), "wwnn": .string("20000000c9831b4b"), "wwpn": .string("10000000c9831b4b"),
                "parent": .string("scsi_host3"), "managed": .bool(true),
            ]
        default:
            [
                "type": .string("fc_host"), "wwnn": .string("20000000c9831b4b"), "wwpn": .string("10000000c9831b4b"),
                "parent-wwnn": .string("20000000c9831b4c"), "parent-wwpn": .string("10000000c9831b4c"),
            ]
        }
    }
}
