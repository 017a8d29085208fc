// SPDX-License-Identifier: LGPL-2.1-or-later

/// A setting of pools: what it is called, which types have it, how it is written, and where it is in libvirt's XML.
///
/// The table is the one model behind `DefinePool`, `DefinePoolXML` and the property `Settings`. Its order is that of the printed XML.
struct Setting: Sendable {
    let key: String
    /// Below the root, as in ``Shape``.
    let path: String
    let types: Set<String>
    let form: SettingForm
    /// An attribute that libvirt wants beside it, and the value that it has for the type.
    var companion: (path: String, value: String)?

    init(_ key: String, _ path: String, _ types: Set<String>, _ form: SettingForm, companion: (path: String, value: String)? = nil) {
        self.key = key
        self.path = path
        self.types = types
        self.form = form
        self.companion = companion
    }

    /// Whether libvirt has no word for it.
    var isOursAlone: Bool { path.hasPrefix("cistern:") || path.contains("/cistern:") }

    /// The rows of one pool type. Types that are not modelled (for tests) have those of directories.
    static func rows(of type: String) -> [Setting] {
        let type = PoolModel.all[type] == nil ? "dir" : type
        return all.filter { $0.types.contains(type) }
    }

    private static let everywhere = Set(PoolModel.all.keys)
    private static let iscsi: Set = ["iscsi", "iscsi-direct"]
    private static let authenticated = iscsi.union(["rbd"])
    private static let mounted: Set = ["fs", "netfs", "btrfs"]
    private static let targeted = everywhere.subtracting(["iscsi-direct", "rbd"])
    private static let branded: Set = ["dir", "fs", "netfs", "logical", "disk", "iscsi", "scsi"]

    private static let all: [Setting] = features + source + authentication + target + namespaced

    private static let features = [Setting("features.cow", "features/cow/@state", ["dir", "fs"], .flag)]

    private static let source =
        [
            Setting("source.hosts", "source/host", authenticated.union(["netfs"]), .hosts),
            Setting("source.devices", "source/device/@path", ["fs", "logical", "disk", "zfs", "btrfs"], .texts),
            Setting("source.target", "source/device/@path", iscsi, .text),
            Setting("source.part-separator", "source/device/@part_separator", ["disk"], .flag),
            Setting("source.path", "source/dir/@path", ["netfs"], .text),
            Setting("source.adapter", "source/adapter", ["scsi"], .adapter),
            Setting("source.name", "source/name", ["logical", "rbd", "zfs"], .text),
            Setting("source.initiator", "source/initiator/iqn/@name", iscsi, .text),
        ] + formats + [Setting("source.protocol-version", "source/protocol/@ver", ["netfs"], .version)]

    private static let formats = PoolModel.all.values.filter { !$0.formats.isEmpty }.map {
        Setting("source.format", "source/format/@type", [$0.type], .word($0.formats))
    }

    private static let authentication =
        PoolModel.all.values.compactMap { model in
            model.authentication.map {
                Setting("source.user", "source/auth/@username", [model.type], .text, companion: ("source/auth/@type", $0))
            }
        } + [
            Setting("source.secret", "source/auth/secret/@usage", authenticated, .text),
            Setting("source.secret-uuid", "source/auth/secret/@uuid", authenticated, .uuid),
            Setting("source.vendor", "source/vendor/@name", branded, .text),
            Setting("source.product", "source/product/@name", branded, .text),
            Setting("source.thin-pool", "source/cistern:thin-pool", ["logical"], .text),
        ]

    private static let target = [
        Setting("target.path", "target/path", targeted.subtracting(["logical", "zfs"]), .path),
        Setting("target.mode", "target/permissions/mode", targeted, .octal),
        Setting("target.owner", "target/permissions/owner", targeted, .id),
        Setting("target.group", "target/permissions/group", targeted, .id),
    ]

    private static let namespaced = [
        Setting("refresh.volume-allocation", "refresh/volume/@allocation", ["rbd"], .word(["default", "capacity"])),
        Setting("options.mount", "fs:mount_opts/fs:option/@name", mounted, .texts),
        Setting("options.rbd", "rbd:config_opts/rbd:option", ["rbd"], .options),
        Setting("volume.format", "cistern:volume-format", everywhere, .text),
    ]
}
