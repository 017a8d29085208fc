// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import TestSupport
import Testing

/// When the kernel cannot tell of everything.
@Suite struct WatchTests {
    private static let mayUnshare = succeeds("unshare", "-U", "-r", "true")

    @Test func `more changes than the kernel keeps lead to a scan, and nothing is missed`() async throws {
        try await Harness.run { harness in
            let (_, directory) = try await harness.startedPool()
            let limit = Int(readFile("/proc/sys/fs/inotify/max_queued_events").dropLast()) ?? 16384
            kill(harness.pid, SIGSTOP)
            // Two events each, at least.
            for number in 0..<limit { writeFile(directory + "/f\(number)", [1]) }
            let signals = try await harness.client.signals(path: "/org/cistern1/pools/p")
            kill(harness.pid, SIGCONT)
            for await signal in signals
            where signal.member == "PropertiesChanged" && signal.body[1].dictionary?["VolumeCount"]?.unsigned == UInt64(limit) { break }
            #expect(try await harness.property("/org/cistern1/pools/p", Harness.poolInterface, "Watch", as: String.self) == "inotify")
        }
    }

    @Test(.enabled(if: mayUnshare, "wants a user namespace of its own"))
    func `without watches left the pool is looked at from time to time, and says so`() async throws {
        try await Harness.run(start: false) { harness in
            // A limit that holds for this daemon alone.
            let limited = ["-c", "echo 0 > /proc/sys/user/max_inotify_watches && exec \"$0\" \"$@\"", builtProgram("cisternd")]
            try await harness.startDaemon(program: "/usr/bin/unshare", arguments: ["-U", "-r", "/bin/sh"] + limited + harness.arguments)
            let (pool, _) = try await harness.startedPool()
            let properties = try await harness.properties(pool, Harness.poolInterface)
            #expect(properties["Watch"] == .string("poll") && properties["State"] == .string("active"))
            #expect(properties["StateReason"]?.text?.contains("max_user_watches") == true)
            let (volume, _) = try await harness.create(pool, "v", 4096)
            #expect(try await harness.property(volume, Harness.volumeInterface, "State", as: String.self) == "ready")
        }
    }
}
