// SPDX-License-Identifier: LGPL-2.1-or-later
import Udev

/// What one path has named: tells which of the events of all devices matter to who knows a device by that path.
///
/// A device belongs to the path while it has that name, and from then on, by its number, until it goes: a disk in use is the same disk
/// after another one took over its link, or after its label was written anew.
struct NamedDevice {
    /// One device of the path that is not known to be gone.
    private struct Known {
        /// Tells it from the next device that gets its number.
        let sysPath: String
        /// False after an overflow: it may have gone, and come again.
        var isCertain: Bool
    }

    private let path: String
    private var known: [Device.Number: Known] = [:]
    /// What went while the path was being looked up for the first time; nil after that.
    private var departed: Set<Device.Number>? = []

    init(_ path: String) { self.path = path }

    /// What the subscriber is to be told of an event, if anything.
    mutating func take(_ event: Event) -> DeviceWatch.Happening? {
        let device = event.device
        if event.action == .remove {
            departed?.insert(device.number)
            return known.removeValue(forKey: device.number).map { _ in .gone(device.number) }
        }
        if device.isNamed(path) { return note(device) }
        guard let old = known[device.number] else { return nil }
        if old.sysPath == device.sysPath { return .changed(device) }
        known[device.number] = nil
        return .gone(device.number)
    }

    /// What the subscriber is to be told of the answer to the first look, which may be older than events that came meanwhile.
    mutating func takeFirstLook(_ device: Device?) -> DeviceWatch.Happening? {
        defer { departed = nil }
        guard let device, known[device.number] == nil, departed?.contains(device.number) != true else { return nil }
        return note(device)
    }

    /// Events were lost.
    mutating func takeOverflow() {
        for number in Array(known.keys) { known[number]?.isCertain = false }
    }

    private mutating func note(_ device: Device) -> DeviceWatch.Happening {
        let old = known.updateValue(Known(sysPath: device.sysPath, isCertain: true), forKey: device.number)
        return old?.sysPath == device.sysPath && old?.isCertain == true ? .changed(device) : .appeared(device)
    }
}
