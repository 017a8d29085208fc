// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

/// The service as systemd runs it.
@Suite(.serialized, .underSystemd, .timeLimit(.minutes(2))) struct ServiceUnderSystemd {
    @Test func `the first call starts it`() async throws {
        try await Installation.run { daemon in
            try await Guest.run("systemctl", "stop", "cisternd.service")
            #expect(try await daemon.properties(Daemon.manager, "Manager")["Version"]?.text?.isEmpty == false)
            #expect(try await Guest.run("systemctl", "is-active", "cisternd.service") == "active")
        }
    }

    @Test func `one that hangs is ended and started again`() async throws {
        try await Installation.run { daemon in
            try await Installation.with("[Service]\nWatchdogSec=3\n") {
                let owners = try await daemon.client.signals(
                    sender: "org.freedesktop.DBus", interface: "org.freedesktop.DBus", member: "NameOwnerChanged",
                    firstArgument: Daemon.name)
                let hung = try await Guest.run("systemctl", "show", "--value", "--property", "MainPID", "cisternd.service")
                try await Guest.run("kill", "-STOP", hung)
                for await change in owners where change.body.last?.text?.isEmpty == false { break }
                #expect(try await Guest.run("systemctl", "show", "--value", "--property", "MainPID", "cisternd.service") != hung)
                #expect(try await daemon.properties(Daemon.manager, "Manager")["Version"] != nil)
            }
        }
    }

    @Test func `systemctl tells what it does, and has it log more`() async throws {
        try await Installation.run { daemon in
            try await Guest.run("mkdir", "-p", "/srv/p")
            _ = try await daemon.startedPool("p", at: "/srv/p")
            #expect(
                try await Guest.run("systemctl", "show", "--value", "--property", "StatusText", "cisternd.service")
                    == "1 pool, 1 active; 0 jobs under way")
            try await Guest.run("systemctl", "service-log-level", "cisternd.service", "debug")
            #expect(try await Guest.run("systemctl", "service-log-level", "cisternd.service") == "debug")
        }
    }

    @Test func `a restart in the middle of an allocation leaves nothing of it`() async throws {
        try await Disk.plugged { disk in
            try await Guest.run("wipefs", "--all", "--quiet", disk.node)
            try await Installation.run { daemon in
                let pool = try await daemon.startedPool(on: disk, "ext4")
                _ = try await daemon.create(pool, "kept", 1 << 20, ["allocation": .string("full"), "wait": .bool(true)])
                try disk.answer(after: 5)
                _ = try await daemon.create(pool, "v", 200 << 20, ["allocation": .string("full")])
                try await Guest.run("systemctl", "restart", "cisternd.service")
                try await daemon.becomes("active", pool)
                #expect(Guest.entries(place) == ["kept", "lost+found"])
                #expect(try await daemon.properties(pool, "Pool")["VolumeCount"]?.unsigned == 1)
                try await daemon.perform(pool, "Pool", "Stop")
            }
        }
    }

    @Test func `a bus that is started again is survived`() async throws {
        try await Installation.run { daemon in
            try await Guest.run("mkdir", "-p", "/srv/p")
            let pool = try await daemon.startedPool("p", at: "/srv/p")
            try await Guest.run("systemctl", "restart", "dbus.service")
            try await Guest.run("gdbus", "wait", "--system", "--timeout", "50", Daemon.name)
            let again = Daemon(of: try Connection.open(.system, description: "test"))
            try await again.becomes("active", pool)
            again.client.close()
        }
    }

    @Test func `it has no rights that it does not need`() async throws {
        try await Installation.run { _ in
            let lines = try await Guest.run("systemd-analyze", "security", "--no-pager", "--threshold=55", "cisternd.service")
            #expect(lines.contains("Overall exposure level"))
        }
    }
}
