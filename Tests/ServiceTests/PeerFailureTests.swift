// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

/// What other storage daemons were seen to fail at, as to names, links and special files. See also ``PeerImageFailureTests``.
@Suite struct PeerFailureTests {
    // MARK: - Names

    @Test func `a name with a newline is refused, never a file, and skipped where others made it`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let (volume, _) = try await harness.create(pool, "v", 4096)
            for name in ["a\nb", "\n", "a\u{1}", "tab\t", "\u{7f}"] {
                await expectError(invalidArgs) { _ = try await harness.create(pool, name, 4096) }
                await expectError(invalidArgs) { try await harness.rename(volume, to: name) }
            }
            await expectError("InvalidXML") {
                _ = try await harness.createXML(pool, "<volume><name>a\nb</name><capacity>1</capacity></volume>")
            }
            #expect(entries(directory) == ["v"])

            writeFile(directory + "/x\ny")
            let skipped = try await harness.skippedAfterRefresh(pool)
            #expect(skipped.count == 1 && skipped.first?.value.contains("control") == true, "\(skipped)")
            #expect(skipped.keys.allSatisfy { $0.hasPrefix("x") && $0.hasSuffix("y") }, "\(skipped)")
            #expect(try await harness.property(pool, Harness.poolInterface, "State", as: String.self) == "active")
            #expect(try await harness.volumeNames(pool) == ["v"])
        }
    }

    @Test func `names that are no UTF-8 are skipped, each under a name of its own`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            for last: CChar in [-1, -2] {
                let path: [CChar] = directory.utf8CString.dropLast() + [47, -1, last, 0]
                close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600))
            }
            let skipped = try await harness.skippedAfterRefresh(pool)
            #expect(skipped.count == 2 && skipped.values.allSatisfy { $0.contains("UTF-8") }, "\(skipped)")
            #expect(try await harness.volumeNames(pool).isEmpty)
        }
    }

    @Test(arguments: ["../esc", "a/b", "/abs", "..", ".", "", String(repeating: "n", count: 300), ".cistern-x", "nul\u{0}"])
    func `a name that is none makes nothing anywhere`(name: String) async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let (volume, _) = try await harness.create(pool, "v", 4096)
            let before = entries(harness.root)
            // A NUL cannot be sent at all.
            let expected = name.utf8.contains(0) ? nil : invalidArgs
            for attempt in 0..<2 {
                do {
                    if attempt == 0 { _ = try await harness.create(pool, name, 4096) } else { try await harness.rename(volume, to: name) }
                    Issue.record("\(name) was accepted")
                } catch let error as BusError {
                    #expect(expected == nil || error.name == expected, "\(error)")
                }
            }
            #expect(entries(directory) == ["v"] && entries(harness.root) == before)
        }
    }

    @Test func `characters of XML and a leading dot are nothing special`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            for name in ["a&b<c>\"d'", "]]>", ".hidden", "<!--"] {
                let (volume, _) = try await harness.create(pool, name, 4096)
                let xml = try await harness.call(
                    volume, Harness.volumeInterface, "GetXML", [String: Variant](), returning: String.self)
                _ = try await harness.job(volume, "Delete", ["wait": .bool(true)])
                let (again, _) = try await harness.createXML(pool, Self.definition(in: xml))
                #expect(again == volume && fileStatus(directory + "/" + name)?.st_size == 4096)
            }
            #expect(entries(directory).count == 4)
        }
    }

    /// Name and capacity of a volume's XML, sparse.
    private static func definition(in xml: String) -> String {
        guard let start = xml.firstRange(of: "<name>"), let end = xml.firstRange(of: "</name>") else { return xml }
        return "<volume>\(xml[start.lowerBound..<end.upperBound])<capacity>4096</capacity><allocation>0</allocation></volume>"
    }

    // MARK: - Links and special files

    @Test func `a symbolic link is no volume, and nothing reaches through it`() async throws {
        try await Harness.run { harness in
            let outside = harness.root + "/outside"
            let secret = [UInt8]("precious".utf8)
            writeFile(outside, secret)
            let (pool, directory) = try await harness.startedPool()
            let targets = ["out": outside, "root": "/", "dangling": "/nowhere/at/all", "loop": "loop", "relative": "../outside"]
            for (name, target) in targets { symlink(target, directory + "/" + name) }
            let skipped = try await harness.skippedAfterRefresh(pool)
            #expect(Set(skipped.keys) == Set(targets.keys) && skipped.values.allSatisfy { $0.contains("symbolic link") }, "\(skipped)")
            for name in targets.keys {
                try await harness.expectNoVolume(pool, name)
                await expectError("Exists") { _ = try await harness.create(pool, name, 4096) }
                await expectError("Exists") {
                    _ = try await harness.create(pool, name, 4096, ["allocation": .string("full"), "wait": .bool(true)])
                }
            }
            #expect(head(of: outside, 100) == secret && entries(directory).count == targets.count)
        }
    }

    @Test func `a volume whose file becomes a symbolic link is not followed, however quick the call is`() async throws {
        try await Harness.run { harness in
            let outside = harness.root + "/outside"
            writeFile(outside, [UInt8](repeating: 5, count: 8192))
            chmod(outside, 0o640)
            let (pool, directory) = try await harness.startedPool()
            for n in 0..<20 {
                let (volume, _) = try await harness.create(pool, "v\(n)", 4096)
                unlink(directory + "/v\(n)")
                symlink(outside, directory + "/v\(n)")
                // Whether the object is gone by now or not.
                await #expect(throws: BusError.self) { try await harness.attack(volume, kind: n % 4) }
            }
            let status = try #require(fileStatus(outside))
            #expect(status.st_size == 8192 && status.st_mode & 0o777 == 0o640)
            #expect(head(of: outside, 9000) == [UInt8](repeating: 5, count: 8192))
        }
    }

    @Test func `pipes, sockets and directories are skipped with reasons, and the pool stays active`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            mkfifo(directory + "/pipe", 0o600)
            try makeSocket(directory + "/socket")
            mkdir(directory + "/sub", 0o755)
            writeFile(directory + "/sub/inner")
            let skipped = try await harness.skippedAfterRefresh(pool)
            #expect(skipped["pipe"]?.contains("named pipe") == true && skipped["socket"]?.contains("socket") == true, "\(skipped)")
            #expect(skipped["sub"]?.contains("directory") == true && skipped.count == 3, "\(skipped)")
            for name in skipped.keys { try await harness.expectNoVolume(pool, name) }
            #expect(entries(directory + "/sub") == ["inner"])
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root may make device nodes"))
    func `a device node without a driver, and others, leave the pool active`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            _ = try await harness.create(pool, "v", 4096)
            let nodes: [(String, mode_t, dev_t)] = [
                ("dead", S_IFCHR, makeDevice(10, 251)), ("zero", S_IFCHR, makeDevice(1, 5)), ("null", S_IFCHR, makeDevice(1, 3)),
                ("deadblock", S_IFBLK, makeDevice(7, 4000)),
            ]
            for (name, kind, device) in nodes { #expect(mknod(directory + "/" + name, kind | 0o600, device) == 0) }
            let skipped = try await harness.skippedAfterRefresh(pool)
            #expect(Set(skipped.keys) == Set(nodes.map(\.0)) && skipped.values.allSatisfy { $0.contains("device") }, "\(skipped)")
            #expect(try await harness.property(pool, Harness.poolInterface, "State", as: String.self) == "active")
            #expect(try await harness.volumeNames(pool) == ["v"])
            _ = try await harness.job(pool, "Stop", ["wait": .bool(true)])
            _ = try await harness.job(pool, "Start", ["wait": .bool(true)])
            #expect(try await harness.property(pool, Harness.poolInterface, "State", as: String.self) == "active")
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can play another user"))
    func `an unreadable file is told of, and the others are volumes`() async throws {
        try await Harness.run(start: false) { harness in
            for name in ["", "/etc", "/var", "/run", "/p"] {
                if !name.isEmpty { mkdir(harness.root + name, 0o755) }
                chown(harness.root + name, 65534, 65534)
            }
            writeFile(harness.root + "/p/good")
            writeFile(harness.root + "/p/closed")
            chmod(harness.root + "/p/closed", 0)
            try await harness.startDaemon(as: 65534)
            let (pool, _) = try await harness.startedPool("p", directory: harness.root + "/p")
            let properties = try await harness.properties(pool, Harness.poolInterface)
            #expect(properties["State"] == .string("active"))
            let skipped = Harness.skipped(properties)
            #expect(skipped["closed"]?.contains("unreadable") == true, "\(skipped)")
            #expect(try await harness.volumeNames(pool) == ["good"])
        }
    }

    // MARK: - Somebody else at work

    @Test func `a volume that a process writes to is not deleted, and the refusal names process and command`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let (volume, _) = try await harness.create(pool, "v", 4096)
            let (started, found) = AsyncStream.makeStream(of: Int32.self)
            let path = directory + "/v"
            let holder = Task {
                try await Child.run("sh", ["-c", "exec sleep 60 3>>\"$0\"", path], deadline: .seconds(60)) { found.yield($0) }
            }
            var pid: Int32 = 0
            for await started in started {
                pid = started
                break
            }
            try await eventually("sleep has the file open") { readFile("/proc/\(pid)/comm") == "sleep\n" }
            do {
                _ = try await harness.job(volume, "Delete", ["wait": .bool(true)])
                Issue.record("deleted under a writer's hands")
            } catch let error as BusError {
                #expect(error.name == "org.cistern1.Error.Busy", "\(error)")
                #expect(error.message.contains(String(pid)) && error.message.contains("sleep"), "\(error.message)")
            }
            #expect(entries(directory) == ["v"])
            holder.cancel()
            _ = try? await holder.value
            _ = try await harness.job(volume, "Delete", ["wait": .bool(true)])
            #expect(entries(directory).isEmpty)
        }
    }
}
