// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop
import Glibc
import Testing
import Udev

@testable import Backends

private let blocking = Blocking(lane: Workers().lane("devices"), place: "guest")

/// A real udevd, and disks that come and go.
@Suite(.serialized, .inTheLab) struct UdevTests {
    @Test(.timeLimit(.minutes(1))) func `a disk that goes and comes is told of by node, link and number`() async throws {
        try await Disk.plugged { disk in
            let device = try await look(disk.node)
            let link = try #require(device.links.first { $0.hasPrefix("/dev/disk/by-id/") })
            #expect(device.isInitialized && device.type == .disk && device.node == disk.node)
            #expect(try await look(link).number == device.number)

            let watched = try await Watched(link)
            guard case .appeared(let first) = try await watched.next() else { throw Guest.Failure("the disk is not told of") }
            #expect(first.number == device.number && first.isNamed(link))
            try await disk.pull()
            #expect(try await watched.next() == .gone(device.number))
            try disk.plugAgain()
            guard case .appeared(let again) = try await watched.next() else { throw Guest.Failure("the disk is not told of again") }
            let initialized = try #require(again.properties["USEC_INITIALIZED"].flatMap { UInt64($0) })
            #expect(microseconds() - initialized < 1_000_000, "since udev saw it first")
            #expect(again.isInitialized && again.isNamed(link))
            #expect(again.properties["ID_BUS"] == "scsi")
        }
    }

    @Test(.timeLimit(.minutes(1))) func `a partition is settled when udev has finished with it, and again when it is gone`() async throws {
        try await Disk.plugged { disk in
            let devices = DeviceWatch()
            let watched = try await Watched(disk.node + "1", devices)
            let mark = try await devices.mark(on: blocking)
            try await Guest.run("sh", "-c", "echo 'size=16M' | sfdisk --label gpt --quiet \(disk.node)")
            guard case .appeared(let partition) = try await watched.next() else { throw Guest.Failure("no partition") }
            try await mark.settle(partition.number, deadline: .seconds(20), on: blocking)
            #expect(partition.type == .partition)
            #expect(partition.links.contains { $0.hasPrefix("/dev/disk/by-partuuid/") })
            #expect(try await blocking.ask("look") { () throws(UdevError) in try partition.wholeDisk() }?.node == disk.node)

            let later = try await devices.mark(on: blocking)
            try await Guest.run("sfdisk", "--quiet", "--delete", disk.node, "1")
            try await later.settle(partition.number, .gone, deadline: .seconds(20), on: blocking)
            #expect(access(partition.node, F_OK) != 0)
        }
    }

    @Test(.timeLimit(.minutes(1))) func `what udev does not do in time is a typed error, and so is a wait that is cancelled`() async throws
    {
        try await Disk.plugged { disk in
            let number = try await look(disk.node).number
            let devices = DeviceWatch()
            let mark = try await devices.mark(on: blocking)
            // Of a device that does not exist udev has nothing to tell.
            let nothing = Device.Number(major: number.major, minor: number.minor + 200)
            let error = await #expect(throws: StorageError.self) {
                try await mark.settle(nothing, deadline: .seconds(2), on: blocking)
            }
            #expect(error?.code == .timedOut)
            try disk.change()
            try await mark.settle(number, deadline: .seconds(20), on: blocking)
            let waiting = Task { try await mark.settle(number, .gone, deadline: .seconds(50), on: blocking) }
            waiting.cancel()
            let cancelled = await #expect(throws: StorageError.self) { try await waiting.value }
            #expect(cancelled?.code == .cancelled)
        }
    }

    @Test(.timeLimit(.minutes(1))) func `work settles though its own event was lost`() async throws {
        try await Disk.plugged { disk in
            let number = try await look(disk.node).number
            let mark = try await DeviceWatch().mark(on: blocking)
            mark.take(.overflow)
            try await mark.settle(number, deadline: .seconds(20), on: blocking)

            let later = try await DeviceWatch().mark(on: blocking)
            let waiting = Task { try await later.settle(Device.Number(major: 4000, minor: 1), .gone, deadline: .seconds(50), on: blocking) }
            later.take(.overflow)
            try await waiting.value
        }
    }

    @Test(.timeLimit(.minutes(1))) func `events that are lost are told of, and the disk appears anew after that`() async throws {
        try await Disk.plugged { disk in
            let devices = DeviceWatch(bufferSize: 1)
            let watched = try await Watched(disk.node, devices)
            guard case .appeared = try await watched.next() else { throw Guest.Failure("the disk is not told of") }
            // On the loop, so that nobody reads what udevd sends.
            for _ in 0..<20 { try disk.change() }
            #expect(system("udevadm settle --timeout=30") == 0)
            while try await watched.next() != .everything {}
            try disk.change()
            guard case .appeared = try await watched.next() else { throw Guest.Failure("the disk is not told of again") }
        }
    }

    @Test(.timeLimit(.minutes(6)))
    func `ten thousand events at once are told one by one, in little memory, while the loop serves others`() async throws {
        Loop.shared.startThread()
        // The device that costs udevd least.
        try await Guest.run("modprobe", "brd", "rd_nr=1")
        try await takeBurst(of: 10_000, from: "ram0")
        try await Guest.run("modprobe", "--remove", "brd")
    }

    @LoopActor private func takeBurst(of count: Int, from name: String) async throws {
        var changes = 0
        let devices = DeviceWatch()
        let (appeared, appearance) = AsyncStream.makeStream(of: Void.self)
        let watch = try await devices.add("/dev/" + name, on: blocking) { happening in
            switch happening {
            case .appeared: appearance.yield()
            case .changed: changes += 1
            case .gone, .everything: Issue.record("\(happening)")
            }
        }
        try #require(await appeared.first() != nil)
        changes = 0
        // On the loop, so that all wait when it comes to read them.
        for _ in 0..<count { try Guest.write("change", to: "/sys/block/\(name)/uevent") }
        #expect(system("udevadm settle --timeout=300") == 0)
        let memory = Guest.memory
        // Counted and not timed: the machine may stop for a while, but then nothing is told either.
        var mostBetweenTurns = 0
        while changes < count {
            let before = changes
            try await timer()
            mostBetweenTurns = max(mostBetweenTurns, changes - before)
        }
        #expect(mostBetweenTurns < count / 20, "others have their turn many times meanwhile")
        #expect(Guest.memory - memory < 4 << 20)
        withExtendedLifetime(watch) {}
    }

    private func look(_ path: String) async throws -> Device {
        try #require(try await blocking.ask("look") { () throws(UdevError) in try Device.find(at: path) })
    }

    /// Waits for the shortest of timers.
    @LoopActor private func timer() async throws {
        var source: Source?
        defer { source?.cancel() }
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            do { source = try Loop.shared.timer(after: .milliseconds(1)) { continuation.resume() } } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    private func microseconds() -> UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt64(now.tv_sec) * 1_000_000 + UInt64(now.tv_nsec) / 1000
    }
}

/// A watch, and what it tells.
@LoopActor private final class Watched {
    private let watch: DeviceWatch.Watch
    private let told: AsyncStream<DeviceWatch.Happening>

    init(_ path: String, _ devices: DeviceWatch = DeviceWatch()) async throws {
        let (stream, continuation) = AsyncStream.makeStream(of: DeviceWatch.Happening.self)
        told = stream
        watch = try await devices.add(path, on: blocking) { continuation.yield($0) }
    }

    /// What is told next but changes, of which udevd tells when it likes. A test that waits in vain is ended by its time limit.
    func next() async throws -> DeviceWatch.Happening {
        for await happening in told {
            if case .changed = happening { continue }
            return happening
        }
        throw Guest.Failure("nothing is told")
    }
}
