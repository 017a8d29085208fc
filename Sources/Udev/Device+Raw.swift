// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CUdev
import Glibc

extension Device {
    /// Copies what libudev's object holds, which stays the caller's.
    ///
    /// - Returns: nil if it has no node, as the hidden paths below a multipath NVMe disk, or vanishes while it is looked at.
    init?(_ raw: OpaquePointer) {
        guard let sysPath = udev_device_get_syspath(raw), let node = udev_device_get_devnode(raw),
            let type = udev_device_get_devtype(raw).flatMap({ DeviceType(rawValue: String(cString: $0)) })
        else { return nil }
        self.init(
            sysPath: String(cString: sysPath), node: String(cString: node), number: Number(udev_device_get_devnum(raw)), type: type,
            links: Set(entries(udev_device_get_devlinks_list_entry(raw)).map(\.name)),
            properties: Dictionary(entries(udev_device_get_properties_list_entry(raw))) { $1 },
            isInitialized: udev_device_get_is_initialized(raw) > 0)
    }
}

extension Device.Number {
    init(_ raw: dev_t) { self.init(major: gnu_dev_major(raw), minor: gnu_dev_minor(raw)) }

    var raw: dev_t { gnu_dev_makedev(major, minor) }
}

/// The entries of a list of libudev's, copied.
func entries(_ first: OpaquePointer?) -> [(name: String, value: String)] {
    sequence(state: first) { entry in
        defer { entry = udev_list_entry_get_next(entry) }
        return entry.map { (text(udev_list_entry_get_name($0)), text(udev_list_entry_get_value($0))) }
    }.map { $0 }
}

private func text(_ raw: UnsafePointer<CChar>?) -> String { raw.map { String(cString: $0) } ?? "" }
