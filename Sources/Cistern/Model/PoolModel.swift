// SPDX-License-Identifier: LGPL-2.1-or-later

/// What pools of one type are defined by, whether or not this build has a backend for them: libvirt's types, as its page "Storage pool
/// and volume XML format" has them, and ours. What each setting is called and where it is in the XML is in ``Setting``.
public struct PoolModel: Sendable {
    /// `dir`, `logical` ...
    public let type: String
    /// Settings without which there is nothing to reach.
    public var required: Set<String> = []
    /// Values of `source.format`; the first is what a definition without one means.
    public var formats: [String] = []
    /// The source is one device, no more.
    var hasOneDevice = false
    /// Pool and source have one name, unless told otherwise.
    var isNamedLikeSource = false
    /// Where volumes appear unless `target.path` says otherwise.
    var defaultTarget: String?
    /// Where volumes appear always, followed by the source's name. Of such a pool, `target/path` in the XML only tells.
    var targetPrefix: String?
    /// libvirt's name for how a source asks who we are.
    var authentication: String?
    /// Whether libvirt has the type, too.
    var isLibvirts = true

    /// All types, by name.
    public static let all = Dictionary(
        uniqueKeysWithValues: [
            PoolModel(type: "dir", required: ["target.path"]),
            PoolModel(type: "fs", required: ["source.devices", "target.path"], formats: fileSystems, hasOneDevice: true),
            PoolModel(
                type: "netfs", required: ["source.hosts", "source.path", "target.path"], formats: ["auto", "nfs", "cifs", "glusterfs"]),
            PoolModel(type: "logical", formats: ["lvm2", "unknown"], isNamedLikeSource: true, targetPrefix: "/dev/"),
            PoolModel(
                type: "disk", required: ["source.devices"], formats: ["unknown", "dos", "gpt", "dvh", "mac", "bsd", "pc98", "sun", "lvm2"],
                hasOneDevice: true, defaultTarget: "/dev/disk/by-path"),
            PoolModel(
                type: "iscsi", required: ["source.hosts", "source.target"], defaultTarget: "/dev/disk/by-path", authentication: "chap"),
            PoolModel(
                type: "iscsi-direct", required: ["source.hosts", "source.target", "source.initiator"], authentication: "chap"),
            PoolModel(type: "scsi", required: ["source.adapter"], defaultTarget: "/dev/disk/by-path"),
            PoolModel(type: "mpath", defaultTarget: "/dev/mapper"),
            PoolModel(type: "rbd", required: ["source.hosts"], isNamedLikeSource: true, authentication: "ceph"),
            PoolModel(type: "zfs", isNamedLikeSource: true, targetPrefix: "/dev/zvol/"),
            PoolModel(type: "btrfs", required: ["source.devices", "target.path"], isLibvirts: false),
        ].map { ($0.type, $0) })

    /// Types that only libvirt has.
    static let libvirtsOnly: Set<String> = ["gluster", "sheepdog", "vstorage"]

    private static let fileSystems = [
        "auto", "ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "exfat", "f2fs", "ntfs", "udf", "iso9660", "ufs", "hfs+", "gfs", "gfs2",
        "ocfs2", "vmfs",
    ]
    /// Formats that libvirt has no word for.
    static let oursAlone: Set<String> = ["btrfs", "exfat", "f2fs", "ntfs"]

    /// Setting key to D-Bus type.
    public var settings: [String: String] {
        Dictionary(uniqueKeysWithValues: Setting.rows(of: type).map { ($0.key, $0.form.signature) })
    }
}

extension PoolDefinition {
    /// Fills in what goes without saying, so that all three forms of a definition (settings, XML, property) say the same.
    mutating func complete() {
        guard let model = PoolModel.all[type] else { return }
        if model.isNamedLikeSource, settings["source.name"] == nil { settings["source.name"] = .string(name) }
        if let target = model.defaultTarget, settings["target.path"] == nil { settings["target.path"] = .string(target) }
    }

    /// - Throws: `invalidArguments` that names the setting, what is wrong with it, and what would be right.
    func check() throws(StorageError) {
        guard let model = PoolModel.all[type] else { return }
        for row in Setting.rows(of: type) {
            guard let value = settings[row.key] else { continue }
            if let complaint = row.form.complaint(value) { throw refusal(row.key, complaint) }
        }
        if case .strings(let devices) = settings["source.devices"], model.hasOneDevice, devices.count != 1 {
            throw refusal("source.devices", "must name one device")
        }
        let secrets = ["source.secret", "source.secret-uuid"].filter { settings[$0] != nil }
        if secrets.count == 2 { throw refusal("source.secret", "and “source.secret-uuid” exclude each other; keep one") }
        if secrets.isEmpty, settings["source.user"] != nil {
            throw refusal("source.user", "says nothing without a secret; add “source.secret”")
        }
        if let secret = secrets.first, settings["source.user"] == nil {
            throw refusal(secret, "says nothing without a user; add “source.user”")
        }
    }

    private func refusal(_ key: String, _ complaint: String) -> StorageError {
        StorageError(.invalidArguments, "Setting “\(key)” of pool \(name) \(complaint).")
    }
}
