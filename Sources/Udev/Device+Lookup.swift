// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CUdev
import Glibc

/// Looking devices up in /sys and in udev's database. Everything here blocks, and may be called from any thread but the loop's; each
/// call has a context of libudev's of its own, since one must not be shared between threads. See udev_device_new_from_syspath(3),
/// udev_enumerate_new(3).
extension Device {
    /// The block device of a number; nil if there is none.
    public static func find(_ number: Number) throws(UdevError) -> Device? {
        try look("look up device \(number)") { context throws(UdevError) in try open(context, number).flatMap(copy) }
    }

    /// The block device that a path leads to, whatever links are on the way; nil if there is nothing at the path.
    ///
    /// - Throws: ``UdevError`` with ENOTBLK if something else is there.
    public static func find(at path: String) throws(UdevError) -> Device? {
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw UdevError("look up \(path)", code: errno)
        }
        guard status.st_mode & S_IFMT == S_IFBLK else { throw UdevError("look up \(path)", code: ENOTBLK) }
        return try find(Number(status.st_rdev))
    }

    /// Every block device that has a node, in no order.
    public static func all() throws(UdevError) -> [Device] {
        let operation = "list the block devices"
        return try look(operation) { context throws(UdevError) in
            guard let list = udev_enumerate_new(context) else { throw UdevError(operation, code: errno) }
            defer { udev_enumerate_unref(list) }
            let result = udev_enumerate_add_match_subsystem(list, "block")
            guard result >= 0 else { throw UdevError(operation, code: result) }
            let scanned = udev_enumerate_scan_devices(list)
            guard scanned >= 0 else { throw UdevError(operation, code: scanned) }
            var devices: [Device] = []
            for entry in entries(udev_enumerate_get_list_entry(list)) {
                if let device = try open(context, entry.name).flatMap(copy) { devices.append(device) }
            }
            return devices
        }
    }

    /// The disk that a partition is on; a disk itself; nil if it is gone.
    public func wholeDisk() throws(UdevError) -> Device? {
        if type == .disk { return self }
        return try Self.look("look up the disk of \(node)") { context throws(UdevError) in
            guard let raw = try Self.open(context, sysPath) else { return nil }
            defer { udev_device_unref(raw) }
            // The parent is not the caller's: it goes with its child.
            return udev_device_get_parent_with_subsystem_devtype(raw, "block", "disk").flatMap { Device($0) }
        }
    }

    /// Has the kernel send a `change` of the device, which udev then works off after all that was before it. Needs root.
    ///
    /// - Returns: false if there is no such device.
    public static func requestEvent(of number: Number) throws(UdevError) -> Bool {
        let operation = "ask for an event of device \(number)"
        return try look(operation) { context throws(UdevError) in
            guard let raw = try open(context, number) else { return false }
            defer { udev_device_unref(raw) }
            let result = udev_device_set_sysattr_value(raw, "uevent", "change")
            guard result >= 0 else { throw UdevError(operation, code: result) }
            return true
        }
    }

    // MARK: - libudev's objects

    private static func look<T>(_ operation: String, _ body: (OpaquePointer) throws(UdevError) -> T) throws(UdevError) -> T {
        guard let context = udev_new() else { throw UdevError(operation, code: errno) }
        defer { udev_unref(context) }
        return try body(context)
    }

    private static func open(_ context: OpaquePointer, _ number: Number) throws(UdevError) -> OpaquePointer? {
        try checked(udev_device_new_from_devnum(context, CChar(UInt8(ascii: "b")), number.raw), "look up device \(number)")
    }

    private static func open(_ context: OpaquePointer, _ sysPath: String) throws(UdevError) -> OpaquePointer? {
        try checked(udev_device_new_from_syspath(context, sysPath), "look up \(sysPath)")
    }

    /// What a constructor of libudev's made; nil if it says that there is no such device.
    private static func checked(_ raw: OpaquePointer?, _ operation: @autoclosure () -> String) throws(UdevError) -> OpaquePointer? {
        if raw == nil, errno != ENOENT, errno != ENODEV, errno != ENXIO { throw UdevError(operation(), code: errno) }
        return raw
    }

    /// Copies a device and lets go of libudev's object.
    private static func copy(_ raw: OpaquePointer) -> Device? {
        defer { udev_device_unref(raw) }
        return Device(raw)
    }
}
