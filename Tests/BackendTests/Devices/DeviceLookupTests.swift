// SPDX-License-Identifier: LGPL-2.1-or-later
import EventLoop
import Foundation
import Testing
import Udev

/// What needs no udevd: the devices of whatever machine this is, of which there may be none.
@Suite struct `Looking devices up` {
    @Test func `lists what the kernel has`() throws {
        let nodes = TestFiles.names("/sys/class/block").filter { access("/sys/class/block/\($0)/dev", F_OK) == 0 }
        #expect(try Set(Device.all().map(\.node)) == Set(nodes.map { "/dev/" + $0.replacing("!", with: "/") }))
    }

    @Test func `finds each device by its number, as the kernel describes it`() throws {
        for device in try Device.all() {
            #expect(try Device.find(device.number) == device)
            #expect(try text(device.sysPath + "/dev") == device.number.description)
            #expect(device.properties["MAJOR"] == "\(device.number.major)")
            #expect((device.type == .partition) == (access(device.sysPath + "/partition", F_OK) == 0))
            let disk = try #require(try device.wholeDisk())
            #expect(disk.type == .disk && device.sysPath.hasPrefix(disk.sysPath))
            if device.type == .disk { #expect(disk == device) }
        }
    }

    @Test func `answers nil where nothing is`() throws {
        #expect(try Device.find(Device.Number(major: 4000, minor: 1_048_575)) == nil)
        #expect(try Device.find(at: "/dev/disk/by-id/none") == nil)
        #expect(try Device.find(at: "/dev/null/none") == nil)
        #expect(try Device.requestEvent(of: Device.Number(major: 4000, minor: 1_048_575)) == false)
    }

    @Test(arguments: ["/dev/null", "/", "/etc/passwd"]) func `refuses what is no block device`(path: String) {
        let error = #expect(throws: UdevError.self) { try Device.find(at: path) }
        #expect(error?.code == ENOTBLK)
        #expect(error?.description == "cannot look up \(path): Block device required")
    }

    @Test func `counts the kernel's events as the kernel does`() throws {
        let before = try #require(UInt64(text("/sys/kernel/uevent_seqnum")))
        let counted = try Event.lastSequence()
        let after = try #require(UInt64(text("/sys/kernel/uevent_seqnum")))
        #expect((before...after).contains(counted))
    }

    @Test func `keeps no memory`() throws {
        let number = try #require(try Device.all().first?.number ?? Device.Number(major: 7, minor: 0))
        func lookAround() throws {
            for _ in 0..<500 { _ = try Device.find(number)?.wholeDisk() }
            for _ in 0..<20 { _ = try Device.all() }
        }
        try lookAround()
        let before = memory()
        for _ in 0..<4 { try lookAround() }
        // libudev's object of one device is about 5 KiB.
        #expect(memory() - before < 1 << 20)
    }

    /// Bytes of this process that are in memory.
    private func memory() -> Int {
        let fields = (try? text("/proc/self/statm"))?.split(separator: " ") ?? []
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

@Suite struct `Listening to udev` {
    @Test func `ends with the last reference, and leaves no descriptor`() async throws {
        Loop.shared.startThread()
        try await listenOften()
    }

    @LoopActor private func listenOften() throws {
        let before = TestFiles.names("/proc/self/fd").count
        do {
            let monitors = try (0..<10).map { _ in try Monitor { _ in } }
            #expect(TestFiles.names("/proc/self/fd").count >= before + monitors.count)
        }
        #expect(TestFiles.names("/proc/self/fd").count == before)
    }
}
