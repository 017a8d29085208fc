// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import TestSupport
import Testing
import XML

/// Every element and attribute of libvirt's pool and volume XML, and of ours, with what becomes of it. The tables are checked both
/// ways: what they say of each place is so, and nothing is printed that is not in them.
@Suite struct ElementTableTests {
    enum Outcome {
        /// Read, kept, and printed again.
        case modelled
        /// What only the pool or volume itself can know: accepted, and not looked at.
        case told
    }

    struct Row {
        let path: String
        let value: String
        let outcome: Outcome
        /// Types that have it; others refuse it by name.
        let types: Set<String>
        /// What must be beside it.
        let others: [(path: String, value: String)]

        init(
            _ path: String, _ value: String, _ types: Set<String>, _ outcome: Outcome = .modelled, with others: [(String, String)] = []
        ) {
            self.path = path
            self.value = value
            self.outcome = outcome
            self.types = types
            self.others = others.map { (path: $0.0, value: $0.1) }
        }
    }

    private static let all = Set(PoolModel.all.keys)
    private static let iscsi: Set = ["iscsi", "iscsi-direct"]
    private static let hosted: Set = ["netfs", "iscsi", "iscsi-direct", "rbd"]
    private static let authenticated: Set = ["iscsi", "iscsi-direct", "rbd"]
    private static let branded: Set = ["dir", "fs", "netfs", "logical", "disk", "iscsi", "scsi"]
    private static let targeted = all.subtracting(["iscsi-direct", "rbd"])

    private static let pools: [Row] =
        [
            Row("name", "p", all), Row("uuid", "4b9a8f00-6a3f-4c2e-9d51-0a1b2c3d4e5f", all), Row("capacity", "1", all, .told),
            Row("capacity/@unit", "GiB", all, .told), Row("allocation", "2", all, .told), Row("allocation/@unit", "bytes", all, .told),
            Row("available", "3", all, .told), Row("available/@unit", "K", all, .told), Row("features/cow/@state", "no", ["dir", "fs"]),
            Row("source/host/@name", "h", hosted), Row("source/host/@port", "3261", hosted, with: [("source/host/@name", "h")]),
            Row("source/device/@path", "iqn.2026-01.org.example:x", iscsi.union(["fs", "logical", "disk", "zfs", "btrfs"])),
            Row("source/device/@part_separator", "yes", ["disk"], with: [("source/device/@path", "/dev/sdb")]),
            Row("source/device/freeExtent/@start", "0", ["disk"], .told, with: [("source/device/@path", "/dev/sdb")]),
            Row("source/device/freeExtent/@end", "9", ["disk"], .told, with: [("source/device/@path", "/dev/sdb")]),
            Row("source/dir/@path", "/export", ["netfs"]), Row("source/name", "n", ["logical", "rbd", "zfs"]),
            Row("source/initiator/iqn/@name", "iqn.2026-01.org.example:me", iscsi),
            Row("source/format/@type", "auto", ["fs", "netfs"]), Row("source/format/@type", "gpt", ["disk"]),
            Row("source/format/@type", "lvm2", ["logical", "disk"]), Row("source/protocol/@ver", "4.2", ["netfs"]),
            Row("source/vendor/@name", "v", branded), Row("source/product/@name", "w", branded),
            Row("target/path", "/srv/x", targeted.subtracting(["logical", "zfs"])),
            Row("target/path", "/srv/x", ["logical", "zfs"], .told), Row("target/permissions/mode", "0750", targeted),
            Row("target/permissions/owner", "7", targeted), Row("target/permissions/group", "8", targeted),
            Row("target/permissions/label", "l", all, .told), Row("refresh/volume/@allocation", "capacity", ["rbd"]),
            Row("fs:mount_opts/fs:option/@name", "ro", ["fs", "netfs", "btrfs"]),
            Row("rbd:config_opts/rbd:option/@name", "o", ["rbd"], with: [("rbd:config_opts/rbd:option/@value", "1")]),
            Row("rbd:config_opts/rbd:option/@value", "1", ["rbd"], with: [("rbd:config_opts/rbd:option/@name", "o")]),
            Row("cistern:volume-format", "qcow2", all), Row("source/cistern:thin-pool", "t", ["logical"]),
        ] + authentication + adapter

    private static let authentication = [
        Row("source/auth/@type", "chap", iscsi, with: user + usage), Row("source/auth/@type", "ceph", ["rbd"], with: user + usage),
        Row("source/auth/@username", "u", authenticated, with: usage), Row("source/auth/secret/@usage", "s", authenticated, with: user),
        Row("source/auth/secret/@uuid", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", authenticated, with: user),
    ]
    private static let user = [("source/auth/@username", "u")]
    private static let usage = [("source/auth/secret/@usage", "s")]

    private static let adapter: [Row] = {
        let place = "source/adapter"
        let named = [("\(place)/@type", "scsi_host"), ("\(place)/@name", "host5")]
        let address = ["domain", "bus", "slot", "function"].map { ("\(place)/parentaddr/address/@\($0)", "0x1") }
        let addressed = [("\(place)/@type", "scsi_host"), ("\(place)/parentaddr/@unique_id", "1")] + address
        let wide = "20000000c9831b4b"
        let channel = [("\(place)/@type", "fc_host"), ("\(place)/@wwnn", wide), ("\(place)/@wwpn", wide)]
        let parents = [("\(place)/@parent_wwnn", wide), ("\(place)/@parent_wwpn", wide)]
        func row(_ path: String, _ value: String, _ others: [(String, String)]) -> Row {
            Row(path, value, ["scsi"], with: others.filter { $0.0 != path })
        }
        return [
            row("\(place)/@type", "scsi_host", named), row("\(place)/@name", "host5", named),
            row("\(place)/parentaddr/@unique_id", "1", addressed),
            row("\(place)/parentaddr/address/@domain", "0x0001", addressed), row("\(place)/parentaddr/address/@bus", "0x01", addressed),
            row("\(place)/parentaddr/address/@slot", "0x01", addressed), row("\(place)/parentaddr/address/@function", "0x1", addressed),
            row("\(place)/@wwnn", wide, channel), row("\(place)/@wwpn", wide, channel),
            row("\(place)/@parent", "scsi_host3", channel), row("\(place)/@managed", "yes", channel),
            row("\(place)/@parent_fabric_wwn", wide, channel), row("\(place)/@parent_wwnn", wide, channel + parents),
            row("\(place)/@parent_wwpn", wide, channel + parents),
        ]
    }()

    @Test(arguments: PoolModel.all.keys.sorted())
    func `each place of a pool's XML has the outcome of the table`(_ type: String) throws {
        for path in Set(Self.pools.map(\.path)).sorted() {
            let rows = Self.pools.filter { $0.path == path }
            guard let row = rows.first(where: { $0.types.contains(type) }) else {
                for row in rows {
                    let message = try #require(refusal(of: row, type), "\(path) in a pool of type \(type)")
                    #expect(
                        message.contains(path.split(separator: "/").first ?? "") && message.contains("not supported here"), "\(message)")
                }
                continue
            }
            let definition = try PoolDefinition.parse(xml: document(row, type)).definition
            let printed = Places(in: try Document.parse(definition.xml()))
            #expect(printed.contains(path, row.value) == (row.outcome == .modelled), "\(path) in \(type): \(definition.xml())")
        }
    }

    @Test(arguments: PoolModel.all.keys.sorted())
    func `nothing is printed of a pool that is not in the table`(_ type: String) throws {
        var generator = SplitMix(seed: 21)
        for _ in 0..<20 {
            var snapshot = PoolSnapshot(definition: .sample(type, share: 90, &generator))
            snapshot.space = Space(capacity: 3, allocation: 2, available: 1)
            for path in Places(in: try Document.parse(try snapshot.xml(compatible: false))).paths where path != "@type" {
                #expect(Self.pools.contains { $0.path == path && $0.types.contains(type) }, "\(path) of type \(type)")
            }
        }
    }

    private func refusal(of row: Row, _ type: String) -> String? {
        do throws(StorageError) { _ = try PoolDefinition.parse(xml: document(row, type)) } catch { return error.message }
        return nil
    }

    /// A pool's XML with nothing in it but what the row needs.
    private func document(_ row: Row, _ type: String) -> String {
        var pool = Element("pool", attributes: [.init("type", type)])
        for (path, value) in [(path: "name", value: "p")] + row.others + [(row.path, row.value)]
        where path != "name" || row.path != path || value == row.value {
            pool.put(value, at: path)
        }
        return Places.writer.print(pool)
    }
}
