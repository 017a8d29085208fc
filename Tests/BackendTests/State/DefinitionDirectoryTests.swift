// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import Glibc
import Testing

@testable import Backends

@Suite(.timeLimit(.minutes(1)))
struct DefinitionDirectoryTests {
    private let scratch = StateScratch()

    private func open() async throws(StorageError) -> DefinitionDirectory {
        try await DefinitionDirectory.open(configuration: scratch.path + "/etc/cistern", runtime: scratch.path + "/run", lane: scratch.lane)
    }

    /// A whole run of a daemon.
    private func run(_ body: (DefinitionDirectory) async throws -> Void) async throws {
        let store = try await open()
        defer { store.close() }
        try await body(store)
    }

    private func xml(_ name: String) -> String {
        PoolDefinition(name: name, uuid: "4b9a8f00-6a3f-4c2e-9d51-0a1b2c3d4e5f", type: "dir", settings: ["target.path": .string("/x")])
            .xml()
    }

    @Test func `keeps, replaces and forgets definitions`() async throws {
        let store = try await open()
        #expect(try await store.load().xml.isEmpty)
        try await store.save("a", xml: xml("a"))
        try await store.save("a", xml: xml("a"))
        try await store.save("b", xml: xml("b"))
        #expect(try await store.load().xml == ["a": xml("a"), "b": xml("b")])
        try await store.remove("a")
        try await store.remove("a")
        #expect(try await store.load().xml.keys.sorted() == ["b"])
    }

    @Test func `a definition is never overwritten in place: who reads the old file reads it whole`() async throws {
        let store = try await open()
        try await store.save("a", xml: xml("a"))
        let file = scratch.path + "/etc/cistern/pools/a.xml"
        var before = stat()
        var old = stat()
        var new = stat()
        #expect(stat(file, &before) == 0)
        #expect(link(file, scratch.path + "/old") == 0)
        try await store.save("a", xml: xml("a") + "<!-- longer -->")
        #expect(stat(scratch.path + "/old", &old) == 0 && stat(file, &new) == 0)
        #expect(old.st_size == before.st_size && new.st_ino != old.st_ino && new.st_size > old.st_size)
    }

    @Test func `files are for the owner alone`() async throws {
        let store = try await open()
        try await store.save("a", xml: xml("a"))
        #expect(scratch.mode("etc/cistern") == 0o700)
        #expect(scratch.mode("etc/cistern/pools") == 0o700)
        #expect(scratch.mode("etc/cistern/autostart") == 0o700)
        #expect(scratch.mode("run") == 0o700)
        #expect(scratch.mode("etc/cistern/pools/a.xml") == 0o600)
        #expect(scratch.names("etc/cistern") == ["autostart", "pools"])
    }

    @Test func `autostart is a relative link`() async throws {
        let store = try await open()
        try await store.save("a", xml: xml("a"))
        try await store.save("b", xml: xml("b"))
        try await store.setAutostart("a", true)
        try await store.setAutostart("a", true)
        #expect(scratch.target("etc/cistern/autostart/a.xml") == "../pools/a.xml")
        #expect(scratch.read("etc/cistern/autostart/a.xml") == xml("a"))
        #expect(try await store.load().autostart == ["a"])
        try await store.setAutostart("a", false)
        try await store.setAutostart("a", false)
        #expect(try await store.load().autostart.isEmpty)
        try await store.setAutostart("b", true)
        try await store.remove("b")
        #expect(scratch.names("etc/cistern/autostart").isEmpty)
    }

    static let names = [
        ".hidden", "..", "%", "%2E", "a%41", "ä €", "a b'\"&<>", "-", String(repeating: "x", count: 251),
        String(repeating: "x", count: 252),
        String(repeating: "x", count: 255), String(repeating: "x", count: 254) + "y", String(repeating: "ä", count: 127),
        "." + String(repeating: "%", count: 254), "x.xml", ".xml", "~", "*",
    ]

    @Test func `no two names share a file, and none exceeds what a file name may be`() {
        let files = Self.names.map(DefinitionName.file)
        #expect(Set(files).count == Self.names.count)
        for file in files {
            #expect(file.utf8.count <= 255)
            #expect(!file.hasPrefix("."))
            #expect(file.hasSuffix(".xml"))
            #expect(!file.contains("/"))
        }
        #expect(DefinitionName.file("images") == "images.xml")
    }

    @Test(arguments: names.filter { $0 != ".." })
    func `keeps pools of any name`(_ name: String) async throws {
        let store = try await open()
        try await store.save(name, xml: xml(name))
        try await store.setAutostart(name, true)
        _ = try await store.claimBoot()
        try await store.setActive(name, true)
        let stored = try await store.load()
        #expect(stored.xml == [name: xml(name)])
        #expect(stored.autostart == [name])
        #expect(stored.active == [name])
        #expect(stored.unreadable.isEmpty)
        try await store.remove(name)
        #expect(scratch.names("etc/cistern/pools").isEmpty)
    }

    @Test func `what cannot be read is told of, and harms no other`() async throws {
        let store = try await open()
        try await store.save("good", xml: xml("good"))
        scratch.write("etc/cistern/pools/garbage.xml", "<pool")
        scratch.write("etc/cistern/pools/binary.xml", [0xFF, 0xFE, 0])
        scratch.write("etc/cistern/pools/empty.xml", "")
        scratch.write("etc/cistern/pools/renamed.xml", xml("other"))
        scratch.write("etc/cistern/pools/huge.xml", [UInt8](repeating: 32, count: 2 << 20))
        scratch.write("etc/cistern/pools/notes.txt", "not ours")
        mkdir(scratch.path + "/etc/cistern/pools/folder.xml", 0o700)
        mkfifo(scratch.path + "/etc/cistern/pools/fifo.xml", 0o600)
        symlink("nowhere", scratch.path + "/etc/cistern/pools/dangling.xml")
        let stored = try await store.load()
        #expect(stored.xml.keys.sorted() == ["good"])
        #expect(
            stored.unreadable.map(\.entry) == [
                "binary.xml", "dangling.xml", "empty.xml", "fifo.xml", "folder.xml", "garbage.xml", "huge.xml", "renamed.xml",
            ])
        #expect(stored.unreadable.allSatisfy { !$0.reason.isEmpty })
        #expect(stored.unreadable.last?.reason == "it defines pool other, whose file is other.xml")
        #expect(scratch.names("etc/cistern/pools").contains("notes.txt"))
    }

    @Test func `leftovers of interrupted saves and removals are gone after a load`() async throws {
        let store = try await open()
        try await store.save("a", xml: xml("a"))
        scratch.write("etc/cistern/pools/.cistern-1234", "<pool type='di")
        symlink("../pools/gone.xml", scratch.path + "/etc/cistern/autostart/gone.xml")
        let stored = try await store.load()
        #expect(stored.xml.keys.sorted() == ["a"])
        #expect(stored.autostart.isEmpty)
        #expect(stored.unreadable.isEmpty)
        #expect(scratch.names("etc/cistern/pools") == ["a.xml"])
        #expect(scratch.names("etc/cistern/autostart").isEmpty)
    }

    @Test func `a boot is claimed once`() async throws {
        let store = try await open()
        #expect(try await store.claimBoot())
        #expect(try await !store.claimBoot())
        #expect(scratch.names("run").filter { $0.hasPrefix("boot-") }.count == 1)
    }

    @Test func `a restart in the same boot does not claim it, and finds what was active`() async throws {
        try await run { store in
            _ = try await store.claimBoot()
            for name in ["a", "b"] {
                try await store.save(name, xml: xml(name))
                try await store.setActive(name, true)
                try await store.setActive(name, true)
            }
            try await store.setActive("b", false)
            try await store.setActive("b", false)
        }
        let store = try await open()
        #expect(try await store.load().active == ["a"])
        #expect(try await !store.claimBoot())
    }

    @Test func `another boot forgets what was active`() async throws {
        try await run { store in
            try await store.save("a", xml: xml("a"))
            try await store.setActive("a", true)
        }
        scratch.write("run/boot-another", "")
        let store = try await open()
        #expect(try await store.load().active.isEmpty)
        #expect(scratch.names("run/active").isEmpty)
        #expect(try await store.claimBoot())
        #expect(!scratch.names("run").contains("boot-another"))
    }

    @Test func `two daemons never share a directory`() async throws {
        let first = try await open()
        do {
            _ = try await open()
            Issue.record("it was shared")
        } catch { #expect(error.code == .busy) }
        first.close()
        _ = try await open()
    }

    @Test func `a full or missing file system is an error, not a loss`() async throws {
        let store = try await open()
        try await store.save("a", xml: xml("a"))
        rename(scratch.path + "/etc/cistern/pools/a.xml", scratch.path + "/etc/cistern/a.xml")
        rmdir(scratch.path + "/etc/cistern/pools")
        do {
            try await store.save("a", xml: xml("a"))
            Issue.record("it was saved")
        } catch { #expect(error.code == .notFound) }
    }

    @Test func `many saves at once all count`() async throws {
        let store = try await open()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<50 { group.addTask { try? await store.save("p\(number % 10)", xml: self.xml("p\(number % 10)")) } }
        }
        let stored = try await store.load()
        #expect(stored.xml.count == 10)
        #expect(stored.unreadable.isEmpty)
        #expect(scratch.names("etc/cistern/pools").count == 10)
    }

    @Test func `a cancelled caller's save is done all the same`() async throws {
        let store = try await open()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await store.save("a", xml: xml("a"))
        }
        try await task.value
        #expect(try await store.load().xml.count == 1)
    }
}
