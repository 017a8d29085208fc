// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Foundation
import Glibc
import Testing

/// Who may do what, asked of a real polkit.
@Suite(.serialized, .underSystemd, .timeLimit(.minutes(2))) struct PolkitUnderSystemd {
    private let user = User(uid: 4242)
    private let member = User(uid: 4243, groups: [4711])

    @Test func `a user may see everything and change nothing`() async throws {
        try await onPools { daemon, _, other in
            #expect(
                try await user.call(Daemon.manager, "Manager", "ListVolumes", "a{sv}a{sv}", "0", "0").contains(
                    "/org/cistern1/volumes/other/v"))
            await refused("must authenticate") { try await user.create("mine", in: other) }
            await refused("must authenticate") { try await user.call(other, "Pool", "Stop", "a{sv}", "0") }
            await refused("must authenticate") {
                try await user.call(Daemon.manager, "Manager", "DefinePool", "ssa{sv}a{sv}", "p", "dir", "0", "0")
            }
            let answers = try await user.call(
                Daemon.manager, "Manager", "CheckAuthorization", "asoa{sv}", "1", "org.cistern1.volume.create", other.description, "0")
            #expect(answers.contains("\"challenge\""))
            #expect(try await daemon.properties(other, "Pool")["VolumeCount"]?.unsigned == 1)
        }
    }

    @Test func `with a rule for one pool, a group may work there and nowhere else`() async throws {
        try await onPools { daemon, scratch, other in
            try await withRule("one-pool") {
                _ = try await member.create("mine", in: scratch)
                await refused("must authenticate") { try await member.create("mine", in: other) }
                await refused("must authenticate") { try await user.create("theirs", in: scratch) }
                // Of another pool's volume it may not even make an overlay.
                await refused("must authenticate") {
                    try await member.call(
                        scratch, "Pool", "CreateVolume", "sta{sv}", "overlay", "1048576", "2", "format", "s", "qcow2", "backing", "o",
                        "/org/cistern1/volumes/other/v")
                }
                _ = try await member.call(
                    scratch, "Pool", "CreateVolume", "sta{sv}", "overlay", "1048576", "3", "format", "s", "qcow2", "backing", "o",
                    "/org/cistern1/volumes/scratch/mine", "wait", "b", "true")
                let answers = try await member.call(
                    Daemon.manager, "Manager", "CheckAuthorization", "asoa{sv}", "1", "org.cistern1.volume.create", scratch.description, "0"
                )
                #expect(answers.contains("\"yes\""))
            }
            #expect(try await daemon.properties(other, "Pool")["VolumeCount"]?.unsigned == 1)
        }
    }

    @Test func `a user is asked only if the caller allows it, with a question that names the object`() async throws {
        try await onPools { daemon, _, other in
            let agent = try await Agent.start()
            let volume: ObjectPath = "/org/cistern1/volumes/other/v"
            _ = try await user.call(volume, "Volume", "Delete", "a{sv}", "1", "wait", "b", "true") { pid in
                try await agent.serve(pid, says: true)
            }
            #expect(agent.questions == ["Authentication is required to delete volume v (4 KiB) in storage pool other"])
            #expect(try await daemon.properties(other, "Pool")["VolumeCount"]?.unsigned == 0)
            await refused("must authenticate") { try await user.create("unasked", in: other) }
            await refused("Access denied") {
                _ = try await user.call(other, "Pool", "CreateVolume", "sta{sv}", "w", "4096", "0") { pid in
                    try await agent.serve(pid, says: false)
                }
            }
            #expect(agent.questions.count == 2)
            agent.end()
        }
    }

    @Test func `nobody is asked any more on behalf of a caller who has left`() async throws {
        try await onPools { _, _, other in
            let agent = try await Agent.start()
            let cancelled = agent.cancellations
            await refused("") {
                _ = try await user.call(other, "Pool", "CreateVolume", "sta{sv}", "w", "4096", "0") { pid in
                    try await agent.serve(pid) { kill(pid, SIGKILL) }
                }
            }
            #expect(await cancelled.first() != nil)
            agent.end()
        }
    }

    @Test func `without polkit root works, and others are refused`() async throws {
        try await onPools { daemon, _, other in
            try await Guest.run("systemctl", "mask", "--runtime", "--now", "polkit.service")
            await refused("Access denied") { try await user.create("mine", in: other) }
            _ = try await daemon.create(other, "roots", 4096, [:])
            try await Guest.run("systemctl", "unmask", "--runtime", "polkit.service")
            try await Guest.run("systemctl", "start", "polkit.service")
            await refused("must authenticate") { try await user.create("mine", in: other) }
        }
    }

    @Test func `who changed what is on record, and who was refused`() async throws {
        try await onPools { _, scratch, other in
            await refused("must authenticate") { try await user.create("mine", in: other) }
            let lines = try await Guest.run(
                "journalctl", "--no-pager", "--output", "json", "MESSAGE_ID=e0e2cf9a5c8c4b0fa6f0d7bd4e0b7f21")
            let records = try lines.split(separator: "\n").map { line in
                try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]).compactMapValues { $0 as? String }
            }
            #expect(
                records.contains {
                    $0["CISTERN_UID"] == "4242" && $0["CISTERN_POOL"] == "other" && $0["CISTERN_VOLUME"] == "mine"
                        && $0["CISTERN_OPERATION"] == "Pool.CreateVolume"
                        && $0["CISTERN_RESULT"] == "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
                })
            #expect(
                records.contains {
                    $0["CISTERN_UID"] == "0" && $0["CISTERN_POOL"] == "scratch" && $0["CISTERN_OPERATION"] == "Pool.Start"
                        && $0["CISTERN_RESULT"] == "completed" && $0["CISTERN_JOB"] != nil
                })
        }
    }

    // MARK: - Around the tests

    /// Runs a test with two pools, one of which holds a volume.
    private func onPools(_ test: @LoopActor (Daemon, _ scratch: ObjectPath, _ other: ObjectPath) async throws -> Void) async throws {
        try await Installation.run { daemon in
            if getpwuid(user.uid) == nil {
                try await Guest.run("groupadd", "--gid", "4711", "storage")
                try await Guest.run("useradd", "--no-create-home", "--uid", "4242", "user")
                try await Guest.run("useradd", "--no-create-home", "--uid", "4243", "--groups", "storage", "member")
            }
            try await Guest.run("rm", "-rf", "/srv/scratch", "/srv/other")
            try await Guest.run("mkdir", "/srv/scratch", "/srv/other")
            let scratch = try await daemon.startedPool("scratch", at: "/srv/scratch")
            let other = try await daemon.startedPool("other", at: "/srv/other")
            _ = try await daemon.create(other, "v", 4096, [:])
            try await test(daemon, scratch, other)
        }
    }

    /// With one of the example rules in force, for the group 4711.
    @LoopActor private func withRule(_ name: String, _ body: () async throws -> Void) async throws {
        let rule = "/etc/polkit-1/rules.d/50-cistern.rules"
        try await Guest.run("cp", "/usr/share/doc/cistern/examples/cistern-\(name).rules.example", rule)
        try await Guest.run("chmod", "644", rule)
        try await Guest.run("systemctl", "restart", "polkit.service")
        try await body()
        try await Guest.run("rm", rule)
        try await Guest.run("systemctl", "restart", "polkit.service")
    }

    /// - Parameter words: of busctl's complaint, which has words of its own for AccessDenied.
    @LoopActor private func refused(_ words: String, _ body: @LoopActor () async throws -> Void) async {
        do {
            try await body()
            Issue.record("“\(words)” was expected, and nothing was refused")
        } catch {
            #expect("\(error)".contains(words) || words.isEmpty, "\(error)")
        }
    }
}

extension User {
    @discardableResult
    fileprivate func create(_ name: String, in pool: ObjectPath) async throws -> String {
        try await call(pool, "Pool", "CreateVolume", "sta{sv}", name, "4096", "0")
    }
}
