// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

/// What other storage daemons were seen to fail at, as to directories, sizes and XML.
@Suite struct PeerPoolFailureTests {
    // MARK: - Directories

    @Test func `a directory that is moved away and back: unavailable, the list kept, back by itself`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            _ = try await harness.create(pool, "v", 4096)
            rename(directory, harness.root + "/elsewhere")
            await #expect(throws: BusError.self) { _ = try await harness.job(pool, "Refresh", ["wait": .bool(true)]) }
            try await harness.becomes("unavailable", pool)
            let reason = try await harness.property(pool, Harness.poolInterface, "StateReason", as: String.self)
            #expect(reason.contains(directory), "\(reason)")
            #expect(try await harness.volumeNames(pool) == ["v"], "the list is kept")
            rename(harness.root + "/elsewhere", directory)
            try await eventually("the pool is active again", within: .seconds(15)) {
                try await harness.property(pool, Harness.poolInterface, "State", as: String.self) == "active"
            }
            #expect(try await harness.volumeNames(pool) == ["v"])
            #expect(try await harness.property(pool, Harness.poolInterface, "StateReason", as: String.self).isEmpty)
        }
    }

    @Test func `a directory that is removed and made again: unavailable, then back by itself`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            _ = try await harness.create(pool, "v", 4096)
            removeTree(directory)
            try await harness.becomes("unavailable", pool)
            #expect(try await !harness.property(pool, Harness.poolInterface, "StateReason", as: String.self).isEmpty)
            mkdir(directory, 0o755)
            writeFile(directory + "/new")
            try await eventually("the pool is active again", within: .seconds(15)) {
                try await harness.property(pool, Harness.poolInterface, "State", as: String.self) == "active"
            }
            try await eventually("the new list is there") { try await harness.volumeNames(pool) == ["new"] }
        }
    }

    @Test func `two pools on one directory: the second is refused by the first one's name, however it is spelled`() async throws {
        try await Harness.run { harness in
            let (_, directory) = try await harness.startedPool("first")
            mkdir(harness.root + "/x", 0o755)
            symlink(directory, harness.root + "/link")
            symlink("first", harness.root + "/relative")
            let spellings = [
                directory, directory + "/", directory + "/.", harness.root + "//first", harness.root + "/./first",
                harness.root + "/x/../first", harness.root + "/first/../first", harness.root + "/link", harness.root + "/relative/",
            ]
            for (n, spelling) in spellings.enumerated() { await harness.expectTaken("second\(n)", spelling) }
            try await harness.stop("first")
            let (pool, _) = try await harness.startedPool("third", directory: harness.root + "/link")
            #expect(try await harness.property(pool, Harness.poolInterface, "State", as: String.self) == "active", "free after Stop")
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root may mount"))
    func `two pools on one directory: a bind mount is no other directory`() async throws {
        try await Harness.run { harness in
            let (_, directory) = try await harness.startedPool("first")
            let bound = harness.root + "/bound"
            mkdir(bound, 0o755)
            try #require(mount(directory, bound, nil, UInt(4096 /* MS_BIND */), nil) == 0)
            defer { umount2(bound, Int32(MNT_DETACH)) }
            await harness.expectTaken("second", bound)
        }
    }

    // MARK: - Sizes

    @Test func `four tebibytes on a disk that is smaller: NoSpace, and nothing stays`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            for allocation in ["falloc", "full"] {
                await expectError("NoSpace") {
                    _ = try await harness.create(pool, "v", 4 << 40, ["allocation": .string(allocation), "wait": .bool(true)])
                }
            }
            await expectError("NoSpace") {
                _ = try await harness.createXML(
                    pool, "<volume><name>v</name><capacity unit='TiB'>4</capacity></volume>", ["wait": .bool(true)])
            }
            #expect(entries(directory).isEmpty)
            #expect(try await harness.volumeNames(pool).isEmpty)
        }
    }

    @Test func `an allocation above the capacity never raises the capacity`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let xml = "<volume><name>v</name><capacity>1048576</capacity><allocation>4194304</allocation></volume>"
            do {
                let (volume, _) = try await harness.createXML(pool, xml, ["wait": .bool(true)])
                #expect(try await harness.property(volume, Harness.volumeInterface, "Capacity", as: UInt64.self) == 1 << 20)
                #expect(fileStatus(directory + "/v")?.st_size == 1 << 20)
            } catch let error as BusError {
                #expect(error.name == "org.cistern1.Error.InvalidXML", "\(error)")
            }
        }
    }

    @Test(arguments: [
        "", "<capacity/>", "<capacity>-1</capacity>", "<capacity>0</capacity>", "<capacity>18446744073709551615</capacity>",
        "<capacity unit='EiB'>16</capacity>", "<capacity unit='EiB'>8</capacity>", "<capacity>1e9</capacity>",
        "<capacity unit='parsec'>1</capacity>",
    ])
    func `a capacity that is none is refused at once`(capacity: String) async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let began = ContinuousClock.now
            do {
                _ = try await harness.createXML(pool, "<volume><name>v</name>\(capacity)<allocation>0</allocation></volume>")
                Issue.record("\(capacity) was accepted")
            } catch let error as BusError {
                #expect([invalidArgs, "org.cistern1.Error.InvalidXML"].contains(error.name), "\(error)")
            }
            #expect(ContinuousClock.now - began < .milliseconds(500) && entries(directory).isEmpty)
        }
    }

    @Test(arguments: [UInt64.max, 1 << 63, 0]) func `Resize to a capacity that is none changes nothing`(capacity: UInt64) async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let (volume, _) = try await harness.create(pool, "v", 4096)
            for options in [["allow-shrink": Variant.bool(true)], ["allocate": .bool(true), "wait": .bool(true)]] {
                await expectError(invalidArgs) { try await harness.resize(volume, to: capacity, options) }
            }
            // More than a file system holds.
            await #expect(throws: BusError.self) {
                try await harness.resize(volume, to: 1 << 62, ["allocate": .bool(true), "wait": .bool(true)])
            }
            #expect(fileStatus(directory + "/v")?.st_size == 4096)
        }
    }

    // MARK: - XML

    @Test func `entities, and elements nested a hundred thousand deep, are refused and make nothing`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            var laughs = "<!DOCTYPE volume [<!ENTITY l0 'lol'>"
            for level in 1...9 { laughs += "<!ENTITY l\(level) '\(String(repeating: "&l\(level - 1);", count: 10))'>" }
            let deep = String(repeating: "<a>", count: 100_000) + String(repeating: "</a>", count: 100_000)
            let rest = "<capacity>1</capacity></volume>"
            let attempts = [
                "<!DOCTYPE volume [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><volume><name>xxe-&x;</name>" + rest,
                laughs + "]><volume><name>&l9;</name>" + rest, "<volume><name>v</name>\(deep)" + rest, deep,
                "<volume><name>v</name>" + String(repeating: " ", count: 20 << 20) + rest,
            ]
            for xml in attempts.dropLast() {
                let began = ContinuousClock.now
                await expectError("InvalidXML") { _ = try await harness.createXML(pool, xml) }
                #expect(ContinuousClock.now - began < .seconds(2))
            }
            // 20 MiB of nothing: refused or read, but at once, and the service lives.
            let began = ContinuousClock.now
            _ = try? await harness.createXML(pool, attempts[4])
            #expect(ContinuousClock.now - began < .seconds(5))
            #expect(Set(entries(directory)).isSubset(of: ["v"]))
            #expect(try await harness.property(pool, Harness.poolInterface, "State", as: String.self) == "active")
        }
    }
}
