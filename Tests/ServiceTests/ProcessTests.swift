// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@Suite struct ProcessTests {
    @Test func `busctl's tree ends at once, and introspect shows the interface`() async throws {
        try await Harness.run { harness in
            let (pool, _) = try await harness.startedPool()
            _ = try await harness.create(pool, "v", 4096)
            let tree = try await harness.tool("busctl", "--address=" + harness.address, "tree", "--list", Harness.service)
            #expect(tree.succeeded)
            for path in ["/org/cistern1", "/org/cistern1/pools/p", "/org/cistern1/volumes/p/v", "/org/cistern1/jobs"] {
                #expect(tree.text.split(separator: "\n").contains(Substring(path)), "\(tree.text)")
            }
            let shown = try await harness.tool("busctl", "--address=" + harness.address, "introspect", Harness.service, pool.description)
            #expect(shown.succeeded && shown.text.contains(".CreateVolume") && shown.text.contains("sta{sv}"))
            for path in ["/", "/org", "/org/cistern1", "/org/cistern1/volumes"] {
                let answer = try await harness.tool("busctl", "--address=" + harness.address, "introspect", Harness.service, path)
                #expect(answer.succeeded, "\(path): \(answer.complaint)")
            }
        }
    }

    @Test func `the log level is a property, as systemctl service-log-level expects`() async throws {
        try await Harness.run { harness in
            let path: ObjectPath = "/org/freedesktop/LogControl1"
            #expect(try await harness.property(path, "org.freedesktop.LogControl1", "LogLevel", as: String.self) == "debug")
            try await harness.call(
                path, "org.freedesktop.DBus.Properties", "Set", "org.freedesktop.LogControl1", "LogLevel", Variant.string("err"))
            #expect(try await harness.property(path, "org.freedesktop.LogControl1", "LogLevel", as: String.self) == "err")
            await expectError(invalidArgs) {
                try await harness.call(
                    path, "org.freedesktop.DBus.Properties", "Set", "org.freedesktop.LogControl1", "LogLevel", Variant.string("loud"))
            }
        }
    }

    @Test func `two daemons never share a state directory or the name`() async throws {
        try await Harness.run { harness in
            let second = try await harness.tool(
                builtProgram("cisternd"), "--bus", harness.address, "--config-directory", harness.root + "/etc", "--state-directory",
                harness.root + "/var", "--runtime-directory", harness.root + "/run")
            #expect(second.status == 1 && second.complaint.contains("cannot start"))
            let third = try await harness.tool(
                builtProgram("cisternd"), "--bus", harness.address, "--config-directory", harness.root + "/etc3", "--state-directory",
                harness.root + "/var3", "--runtime-directory", harness.root + "/run3")
            #expect(third.status == 1 && third.complaint.contains("org.cistern1"))
            #expect(try await harness.managed("/org/cistern1/pools").isEmpty)
        }
    }

    @Test(.enabled(if: geteuid() == 0, "another user can only be played by root"))
    func `an ordinary user manages directories of theirs`() async throws {
        try await Harness.run(start: false) { harness in
            for name in ["", "/etc", "/var", "/run", "/data"] {
                if !name.isEmpty { mkdir(harness.root + name, 0o755) }
                chown(harness.root + name, 65534, 65534)
            }
            try await harness.startDaemon(as: 65534)
            let (pool, directory) = try await harness.startedPool("mine", directory: harness.root + "/data")
            _ = try await harness.create(pool, "v", 1 << 20, ["allocation": .string("full"), "wait": .bool(true)])
            let status = try #require(fileStatus(directory + "/v"))
            #expect(status.st_uid == 65534 && status.st_size == 1 << 20)
            let owner = try AuthorizationTests.connect(as: 65534, to: harness.address)
            defer { owner.close() }
            _ = try await owner.call(
                Harness.service, pool, Harness.poolInterface, "CreateVolume", "w", UInt64(4096), [String: Variant](),
                returning: ObjectPath.self, ObjectPath.self)
            #expect(entries(directory) == ["v", "w"])
        }
    }

    @Test func `texts of 30 MiB are refused, and their memory comes back`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let huge = String(repeating: "x", count: 30 << 20)
            @LoopActor func attempts() async {
                await expectError(invalidArgs) { _ = try await harness.create(pool, huge, 4096) }
                await expectError(invalidArgs) { _ = try await harness.create(pool, "v", 4096, [huge: .bool(true)]) }
                await expectError(invalidArgs) { _ = try await harness.create(pool, "v", 4096, ["allocation": .string(huge)]) }
                await expectError("InvalidXML") {
                    _ = try await harness.call(
                        Harness.manager, Harness.managerInterface, "DefinePoolXML", huge, [String: Variant](), returning: ObjectPath.self)
                }
                await expectError("NotFound") {
                    _ = try await harness.call(
                        Harness.manager, Harness.managerInterface, "GetVolumeByKey", huge, [String: Variant](), returning: ObjectPath.self)
                }
            }
            _ = try await harness.create(pool, "warm", 4096)
            await attempts()
            let before = harness.memory()
            for _ in 0..<2 { await attempts() }
            // It is given back after the reply.
            try await eventually("of \(before) KiB before there are \(harness.memory()) KiB") { harness.memory() <= before + 2048 }
            #expect(entries(directory) == ["warm"])
        }
    }

    @Test func `ListVolumes gives pages, fields and filters; everything comes exactly once`() async throws {
        try await Harness.run { harness in
            let directory = harness.root + "/p"
            mkdir(directory, 0o755)
            for n in 0..<257 { writeFile(directory + "/f\(n)", [UInt8](repeating: 1, count: n % 2 == 0 ? 100 : 200)) }
            _ = try await harness.startedPool("p", directory: directory)
            let (other, _) = try await harness.startedPool("q")
            _ = try await harness.create(other, "z", 100)
            typealias Page = [Struct<ObjectPath, [String: Variant]>]
            @LoopActor func list(_ filter: [String: Variant], _ options: [String: Variant]) async throws -> (Page, String) {
                try await harness.call(
                    Harness.manager, Harness.managerInterface, "ListVolumes", filter, options, returning: Page.self, String.self)
            }
            var names: [String] = []
            var after = ""
            var pages = 0
            repeat {
                let (page, next) = try await list(
                    [:], ["limit": .uint32(50), "after": .string(after), "fields": .strings(["Name", "Capacity"])])
                #expect(page.allSatisfy { $0.values.1.keys.sorted() == ["Capacity", "Name"] })
                names += page.compactMap { $0.values.1["Name"]?.text }
                after = next
                pages += 1
            } while !after.isEmpty
            #expect(pages == 6 && names == (0..<257).map { "f\($0)" }.sorted() + ["z"])
            #expect(try await list(["Capacity": .uint64(100)], [:]).0.count == 130)
            #expect(try await list(["Capacity": .int32(100), "Pool": .path(other)], [:]).0.count == 1)
            #expect(try await list(["Name": .string("f7")], [:]).0.first?.values.1["Capacity"] == .uint64(200))
            await expectError(invalidArgs) { _ = try await list(["Nonsense": .uint64(1)], [:]) }
            await expectError(invalidArgs) { _ = try await list([:], ["fields": .strings(["Nonsense"])]) }
            await expectError(invalidArgs) { _ = try await list([:], ["after": .string("///")]) }
        }
    }
}

extension Harness {
    /// The daemon's private memory in KiB.
    func memory() -> Int {
        readFile("/proc/\(pid)/smaps_rollup").split(separator: "\n").filter {
            $0.hasPrefix("Private_Dirty:") || $0.hasPrefix("Private_Clean:")
        }
        .reduce(0) { $0 + (Int($1.split(separator: " ")[1]) ?? 0) }
    }
}
