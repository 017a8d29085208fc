// SPDX-License-Identifier: LGPL-2.1-or-later
import XML

extension Volume {
    /// libvirt's volume XML. What is unknown is left out.
    public func xml() -> String {
        var volume = Element("volume", attributes: [.init("type", kind.rawValue)], children: [Element("name", text: name)])
        if !key.isEmpty { volume.children.append(Element("key", text: key)) }
        volume.children += [
            .bytes("capacity", capacity), .bytes("allocation", allocation), .bytes("physical", physical),
        ].compactMap { $0 }
        volume.children.append(target)
        if !backingPath.isEmpty {
            var backing = Element("backingStore", children: [Element("path", text: backingPath)])
            if case .string(let format)? = details["backing-format"] { backing.insert(format, at: "format/@type") }
            volume.children.append(backing)
        }
        return cisternWriter.print(volume)
    }

    private var target: Element {
        var target = Element("target")
        if !path.isEmpty { target.insert(path, at: "path") }
        if !format.isEmpty { target.insert(format, at: "format/@type") }
        target.insert(Permissions.octal(mode & 0o777), at: "permissions/mode")
        target.insert(String(owner), at: "permissions/owner")
        target.insert(String(group), at: "permissions/group")
        if !securityLabel.isEmpty { target.insert(securityLabel, at: "permissions/label") }
        if modifyTime != 0 { target.insert(Self.seconds(modifyTime), at: "timestamps/mtime") }
        if birthTime != 0 { target.insert(Self.seconds(birthTime), at: "timestamps/btime") }
        return target
    }

    /// `seconds.nanoseconds`, as libvirt writes times.
    private static func seconds(_ microseconds: UInt64) -> String {
        let fraction = String(microseconds % 1_000_000)
        return "\(microseconds / 1_000_000).\(String(repeating: "0", count: 6 - fraction.count))\(fraction)000"
    }
}
