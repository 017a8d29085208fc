// SPDX-License-Identifier: LGPL-2.1-or-later
import XML

extension Volume {
    /// Formats of `<format type='…'>` that libvirt has; others become `unknown` in a compatible text.
    private static let libvirtsFormats: Set<String> = [
        "raw", "dir", "bochs", "cloop", "cow", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "luks", "qcow", "qcow2", "qed", "vmdk",
        "none", "ext2", "ext3", "ext4", "ufs", "iso9660", "udf", "gfs", "gfs2", "vfat", "hfs+", "xfs", "ocfs2", "vmfs", "linux", "fat16",
        "fat32", "linux-swap", "linux-lvm", "linux-raid", "extended",
    ]

    /// libvirt's volume XML. What is unknown is left out.
    ///
    /// - Parameter compatible: only what libvirt knows.
    public func xml(compatible: Bool = false) -> String {
        var volume = Element("volume", attributes: [.init("type", kind.rawValue)], children: [Element("name", text: name)])
        if !key.isEmpty { volume.children.append(Element("key", text: key)) }
        volume.children += [
            .bytes("capacity", capacity), .bytes("allocation", allocation), .bytes("physical", physical),
        ].compactMap { $0 }
        volume.children.append(target(compatible))
        // What is no path, libvirt could not take back.
        if !backingPath.isEmpty, !compatible || backingPath.hasPrefix("/") {
            volume.insert(backingPath, at: "backingStore/path")
            if case .string(let format)? = details["backing-format"] {
                volume.insert(word(format, compatible), at: "backingStore/format/@type")
            }
        }
        return Namespaces.writer.print(volume)
    }

    private func word(_ format: String, _ compatible: Bool) -> String {
        compatible && !Self.libvirtsFormats.contains(format) ? "unknown" : format
    }

    private func target(_ compatible: Bool) -> Element {
        var target = Element("target")
        if !path.isEmpty { target.insert(path, at: "path") }
        // libvirt takes LUKS for raw data that is encrypted.
        if !format.isEmpty { target.insert(word(format == "luks" ? "raw" : format, compatible), at: "format/@type") }
        target.insert(Permissions.octal(mode & 0o777), at: "permissions/mode")
        target.insert(String(owner), at: "permissions/owner")
        target.insert(String(group), at: "permissions/group")
        if !securityLabel.isEmpty { target.insert(securityLabel, at: "permissions/label") }
        if modifyTime != 0 { target.insert(Self.seconds(modifyTime), at: "timestamps/mtime") }
        if birthTime != 0 { target.insert(Self.seconds(birthTime), at: "timestamps/btime") }
        if let encryption = ["luks1": "luks", "luks2": "luks2", "aes": "qcow"][encryption] {
            target.insert(encryption, at: "encryption/@format")
        }
        if format == "qcow2" { insertLayout(into: &target) }
        return target
    }

    private func insertLayout(into target: inout Element) {
        if case .string(let compat)? = details["compat"] { target.insert(compat, at: "compat") }
        if case .uint64(let size)? = details["cluster-size"], let element = Element.bytes("clusterSize", size) {
            target.children.append(element)
        }
        for (key, name) in [("lazy-refcounts", "lazy_refcounts"), ("extended-l2", "extended_l2")] where details[key] == .bool(true) {
            target.insert(Element(name), at: "features/\(name)")
        }
    }

    /// `seconds.nanoseconds`, as libvirt writes times.
    private static func seconds(_ microseconds: UInt64) -> String {
        let fraction = String(microseconds % 1_000_000)
        return "\(microseconds / 1_000_000).\(String(repeating: "0", count: 6 - fraction.count))\(fraction)000"
    }
}
