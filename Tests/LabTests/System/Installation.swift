// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Foundation
import Glibc
import Testing

/// What this build has installed on the guest as `make install` does, run by the systemd of the guest.
@LoopActor enum Installation {
    private static var isThere = false

    /// Runs a test with the service that is installed, freshly started, and nothing defined.
    nonisolated static func run(_ test: @LoopActor (Daemon) async throws -> Void) async throws {
        Loop.shared.startThread()
        try await runOnLoop(test)
    }

    private static func runOnLoop(_ test: @LoopActor (Daemon) async throws -> Void) async throws {
        try await install()
        try await Guest.run("systemctl", "restart", "cisternd.service")
        let daemon = Daemon(of: try Connection.open(.system, description: "test"))
        do {
            try await test(daemon)
            try await end(daemon)
        } catch {
            print(try await Guest.run("journalctl", "--no-pager", "--unit", "cisternd.service", "--lines", "50"))
            try await end(daemon)
            throw error
        }
    }

    private static func end(_ daemon: Daemon) async throws {
        daemon.client.close()
        try await Guest.run("systemctl", "stop", "cisternd.service")
        for directory in ["/etc/cistern", "/var/lib/cistern", "/run/cistern"] { try await Guest.run("rm", "-rf", directory) }
    }

    private static func install() async throws {
        if isThere { return }
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
        try await Guest.run(
            "make", "--directory", root, "install", "PREFIX=/usr", "release=\(root)/.build/debug", deadline: .seconds(200))
        try await Guest.run("systemctl", "daemon-reload")
        try await Guest.run("busctl", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig")
        isThere = true
    }

    /// Has systemd run the service with more settings, for the time of a test.
    static func with(_ settings: String, _ body: () async throws -> Void) async throws {
        let directory = "/run/systemd/system/cisternd.service.d"
        try await Guest.run("mkdir", "-p", directory)
        try settings.write(toFile: directory + "/test.conf", atomically: true, encoding: .utf8)
        try await Guest.run("systemctl", "daemon-reload")
        try await Guest.run("systemctl", "restart", "cisternd.service")
        try await body()
        try await Guest.run("rm", "-r", directory)
        try await Guest.run("systemctl", "daemon-reload")
    }
}

extension Trait where Self == ConditionTrait {
    /// The test needs systemd as process 1 of the lab. Suites with this have names that end with "UnderSystemd".
    static var underSystemd: Self {
        .enabled(if: Guest.isHere && access("/run/systemd/system", F_OK) == 0, "runs in the lab with systemd alone: make lab")
    }
}
