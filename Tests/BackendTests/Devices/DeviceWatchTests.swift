// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop
import Glibc
import Testing
import Udev

@testable import Backends

private let blocking = Blocking(lane: Shared.workers.lane("devices"), place: "test")

/// What needs no udevd; LabTests has one.
@Suite struct `Watching devices` {
    init() { Loop.shared.startThread() }

    @Test func `refuses a path that is no device, and listens no longer`() async throws {
        try await onLoop {
            let before = TestFiles.names("/proc/self/fd").count
            let error = await #expect(throws: StorageError.self) { try await DeviceWatch().add("/dev/null", on: blocking) { _ in } }
            #expect(error == StorageError(.failed, "Cannot watch device /dev/null: block device required."))
            #expect(TestFiles.names("/proc/self/fd").count == before)
        }
    }

    @Test func `listens as long as somebody holds the watch of a path, where nothing may be yet`() async throws {
        try await onLoop {
            let before = TestFiles.names("/proc/self/fd").count
            let devices = DeviceWatch()
            do {
                let watch = try await devices.add("/dev/disk/by-id/none", on: blocking) { Issue.record("\($0)") }
                let other = try await devices.add("/dev/disk/by-id/other", on: blocking) { Issue.record("\($0)") }
                #expect(TestFiles.names("/proc/self/fd").count == before + 1, "one listener for all")
                withExtendedLifetime((watch, other)) {}
            }
            #expect(TestFiles.names("/proc/self/fd").count == before)
        }
    }

    @Test(.enabled(if: !Monitor.isDaemonRunning, "would wait for the udevd of this machine"))
    func `waits for nobody where no udevd runs`() async throws {
        try await onLoop {
            let mark = try await DeviceWatch().mark(on: blocking)
            try await mark.settle(Device.Number(major: 8, minor: 16), deadline: .seconds(60), on: blocking)
        }
    }

    private func onLoop(_ body: @LoopActor () async throws -> Void) async throws { try await body() }
}
