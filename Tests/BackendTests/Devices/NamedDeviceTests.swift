// SPDX-License-Identifier: LGPL-2.1-or-later
import Testing
import Udev

@testable import Backends

private let link = "/dev/disk/by-id/wwn-1"

@Suite struct `What a path names` {
    private let disk = device("sdb", minor: 16, links: [link, "/dev/disk/by-path/1"])

    @Test(arguments: ["/dev/sdb", link, "/dev/disk/by-path/1"]) func `is known by its node and by every link`(path: String) {
        var named = NamedDevice(path)
        #expect(named.take(Event(.add, disk)) == .appeared(disk))
        #expect(named.take(Event(.change, disk)) == .changed(disk))
        #expect(named.take(Event(.remove, disk)) == .gone(disk.number))
        #expect(named.take(Event(.add, disk)) == .appeared(disk))
    }

    @Test func `is nothing else`() {
        var named = NamedDevice("/dev/sdb")
        for action in [Event.Action.add, .change, .remove, .other("online")] {
            #expect(named.take(Event(action, device("sdb1", minor: 17))) == nil)
        }
        #expect(named.take(Event(.remove, disk)) == nil, "nobody was told of it")
    }

    @Test func `may get its name later than its node`() {
        var named = NamedDevice(link)
        #expect(named.take(Event(.add, device("sdb", minor: 16))) == nil)
        #expect(named.take(Event(.change, disk)) == .appeared(disk))
    }

    @Test func `stays the same device when it loses the name, and when another has it too`() {
        var named = NamedDevice(link)
        #expect(named.take(Event(.add, disk)) == .appeared(disk))
        let nameless = device("sdb", minor: 16)
        #expect(named.take(Event(.change, nameless)) == .changed(nameless))
        let other = device("dm-0", minor: 0, links: [link])
        #expect(named.take(Event(.add, other)) == .appeared(other))
        #expect(named.take(Event(.change, nameless)) == .changed(nameless))
        #expect(named.take(Event(.remove, nameless)) == .gone(disk.number))
        #expect(named.take(Event(.remove, other)) == .gone(other.number))
    }

    @Test func `is gone when another device has its number`() {
        var named = NamedDevice(link)
        #expect(named.take(Event(.add, disk)) == .appeared(disk))
        let other = Device(sysPath: "/sys/devices/other/block/sdb", node: "/dev/sdb", number: disk.number)
        #expect(named.take(Event(.add, other)) == .gone(disk.number))
        #expect(named.take(Event(.change, other)) == nil)
    }

    @Test func `appears anew when another device has its number and its name`() {
        var named = NamedDevice("/dev/sdb")
        #expect(named.take(Event(.add, disk)) == .appeared(disk))
        let other = Device(sysPath: "/sys/devices/other/block/sdb", node: "/dev/sdb", number: disk.number)
        #expect(named.take(Event(.add, other)) == .appeared(other))
    }

    @Test func `appears anew after an overflow, and is still known by its number`() {
        var named = NamedDevice(link)
        #expect(named.take(Event(.add, disk)) == .appeared(disk))
        named.takeOverflow()
        #expect(named.take(Event(.change, disk)) == .appeared(disk))
        #expect(named.take(Event(.change, disk)) == .changed(disk))
        named.takeOverflow()
        #expect(named.take(Event(.remove, device("sdb", minor: 16))) == .gone(disk.number))
    }

    @Test func `is what the first look saw, unless events have told since`() {
        var named = NamedDevice(link)
        #expect(named.takeFirstLook(disk) == .appeared(disk))
        #expect(named.take(Event(.change, disk)) == .changed(disk))

        var told = NamedDevice(link)
        #expect(told.take(Event(.add, disk)) == .appeared(disk))
        #expect(told.takeFirstLook(disk) == nil)

        var gone = NamedDevice(link)
        #expect(gone.take(Event(.remove, disk)) == nil)
        #expect(gone.takeFirstLook(disk) == nil, "the look is older than the event")
        #expect(gone.take(Event(.add, disk)) == .appeared(disk))

        var none = NamedDevice(link)
        #expect(none.takeFirstLook(nil) == nil)
        #expect(none.take(Event(.add, disk)) == .appeared(disk))
    }

    @Test func `is known by its number when the path is nothing that udev made`() {
        var named = NamedDevice("/srv/disk")
        #expect(named.takeFirstLook(disk) == .appeared(disk))
        #expect(named.take(Event(.change, disk)) == .changed(disk))
        #expect(named.take(Event(.remove, disk)) == .gone(disk.number))
    }
}

private func device(_ name: String, minor: UInt32, links: Set<String> = []) -> Device {
    Device(
        sysPath: "/sys/devices/host/block/\(name)", node: "/dev/\(name)",
        number: Device.Number(major: name.hasPrefix("dm") ? 253 : 8, minor: minor), links: links)
}
