// SPDX-License-Identifier: LGPL-2.1-or-later
import Backends
import Cistern
import Glibc
import TestSupport
import Testing

@Suite struct DirectoryScanTests {
    @Test func skipsWhatIsNoVolumeAndSaysWhy() async throws {
        let directory = try TemporaryDirectory()
        let outside = try TemporaryDirectory()
        try TestFiles.make(outside("secret"), content: "outside")
        mkfifo(directory("fifo"), 0o600)
        mkdir(directory("dir"), 0o755)
        symlink(outside("secret"), directory("link"))
        symlink("nowhere", directory("dangling"))
        symlink("loop", directory("loop"))
        symlink("/", directory("root"))
        try makeSocket(directory("socket"))
        try TestFiles.make(directory("new\nline"))
        try TestFiles.make(directory(".cistern-0011223344556677"))
        try TestFiles.make(directory("good"), 4096)
        let contents = try await DirectoryPool.started(directory).scan([:])
        #expect(Set(contents.volumes.keys) == ["good"])
        #expect(
            contents.skipped == [
                "fifo": "a named pipe", "dir": "a directory", "link": "a symbolic link", "dangling": "a symbolic link",
                "loop": "a symbolic link", "root": "a symbolic link", "socket": "a socket",
                "new\nline": "its name contains control characters",
            ])
    }

    @Test(.enabled(if: getuid() == 0)) func survivesDeviceNodesEvenDeadOnes() async throws {
        let directory = try TemporaryDirectory()
        // 10:251 has no driver, 1:5 never ends, 4:0 is a console.
        let nodes = ["dead": (S_IFCHR, 10, 251), "zero": (S_IFCHR, 1, 5), "tty": (S_IFCHR, 4, 0), "block": (S_IFBLK, 259, 9999)]
        for (name, (kind, major, minor)) in nodes {
            try #require(mknod(directory(name), kind | 0o600, dev_t(major << 8 | minor & 0xFF | (minor & ~0xFF) << 12)) == 0)
        }
        try TestFiles.make(directory("good"), 4096)
        let pool = try await DirectoryPool.started(directory)
        let contents = try await pool.scan([:])
        #expect(Set(contents.volumes.keys) == ["good"])
        #expect(contents.skipped["dead"] == "a character device")
        #expect(contents.skipped["block"] == "a block device")
        #expect(try await pool.look(at: "dead") == .skipped("a character device"))
    }

    @Test func showsNamesThatAreNotUTF8Escaped() async throws {
        let directory = try TemporaryDirectory()
        let raw: [UInt8] = Array(directory("bad").utf8) + [0xFF, 0xFE, 0]
        let descriptor = raw.map { CChar(bitPattern: $0) }.withUnsafeBufferPointer { name in
            name.baseAddress.map { open($0, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600) } ?? -1
        }
        try #require(descriptor >= 0)
        close(descriptor)
        let contents = try await DirectoryPool.started(directory).scan([:])
        #expect(contents.volumes.isEmpty)
        #expect(contents.skipped == ["bad\\xff\\xfe": "its name is not UTF-8"])
    }

    @Test func namesThatLookTheSameAreOneVolume() async throws {
        let directory = try TemporaryDirectory()
        try TestFiles.make(directory("\u{e9}"), 1)
        try TestFiles.make(directory("e\u{301}"), 2)
        let pool = try await DirectoryPool.started(directory)
        let first = try await pool.scan([:])
        #expect(first.volumes.count == 1)
        #expect(first.skipped.count == 1)
        let second = try await pool.scan(first.volumes)
        #expect(second.volumes == first.volumes)
        #expect(second.skipped == first.skipped)
    }

    @Test func aFileIsOneVolumeWhateverItsNamesAre() async throws {
        let directory = try TemporaryDirectory()
        try TestFiles.make(directory("m"), 4096)
        let pool = try await DirectoryPool.started(directory)
        let known = try await pool.scan([:]).volumes
        link(directory("m"), directory("a"))
        link(directory("m"), directory("z"))
        #expect(try await pool.look(at: "a") == .skipped("another name of m"))
        let contents = try await pool.scan(known)
        #expect(Set(contents.volumes.keys) == ["m"])
        #expect(contents.skipped == ["a": "another name of m", "z": "another name of m"])
        let fresh = try await DirectoryPool.started(directory)
        #expect(try await fresh.scan([:]).volumes.keys.sorted() == ["a"])
        unlink(directory("m"))
        let after = try await pool.scan(contents.volumes)
        #expect(after.volumes.keys.sorted() == ["a"])
        #expect(after.volumes["a"]?.key == known["m"]?.key)
    }

    @Test func keysFollowTheFileAndNothingElse() async throws {
        let directory = try TemporaryDirectory()
        try TestFiles.make(directory("a"), 4096)
        try TestFiles.make(directory("b"), 4096)
        let pool = try await DirectoryPool.started(directory)
        let first = try await pool.scan([:]).volumes
        rename(directory("a"), directory("t"))
        rename(directory("b"), directory("a"))
        rename(directory("t"), directory("b"))
        let swapped = try await pool.scan(first).volumes
        #expect(swapped["a"]?.key == first["b"]?.key)
        #expect(swapped["b"]?.key == first["a"]?.key)
        unlink(directory("a"))
        try TestFiles.make(directory("a"), 4096)
        let replaced = try await pool.scan(swapped).volumes
        #expect(Set([replaced["a"]?.key, first["a"]?.key, first["b"]?.key]).count == 3)
        let other = try await DirectoryPool.started(directory)
        #expect(try await other.scan([:]).volumes.mapValues(\.key) == replaced.mapValues(\.key))
    }

    @Test func sizesAndTimesAreThoseOfTheFile() async throws {
        let directory = try TemporaryDirectory()
        try TestFiles.make(directory("v"), content: "12345")
        chmod(directory("v"), 0o4751)
        let volume = try await DirectoryPool.started(directory).volume("v")
        let status = try #require(TestFiles.status(directory("v")))
        #expect(volume.capacity == 5 && volume.physical == 5)
        #expect(volume.allocation == UInt64(status.st_blocks) * 512)
        #expect(volume.mode == 0o751 && volume.owner == status.st_uid && volume.group == status.st_gid)
        #expect(volume.modifyTime == UInt64(status.st_mtim.tv_sec) * 1_000_000 + UInt64(status.st_mtim.tv_nsec) / 1000)
        #expect(volume.path == directory("v") && volume.format == "raw" && volume.formatSource == .probed)
    }

    @Test func tenThousandFilesAreScannedQuickly() async throws {
        let directory = try TemporaryDirectory()
        for number in 0..<10_000 { try TestFiles.make(directory("volume-\(number).img")) }
        let pool = try await DirectoryPool.started(directory)
        let clock = ContinuousClock.now
        let first = try await pool.scan([:])
        #expect(first.volumes.count == 10_000)
        #expect(Set(first.volumes.values.map(\.key)).count == 10_000)
        #expect(ContinuousClock.now - clock < .seconds(20))
        unlink(directory("volume-17.img"))
        try TestFiles.make(directory("another.img"), 77)
        let second = try await pool.scan(first.volumes)
        #expect(second.volumes.count == 10_000)
        #expect(second.volumes["volume-17.img"] == nil && second.volumes["another.img"]?.capacity == 77)
    }

    private func makeSocket(_ path: String) throws {
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        try #require(result == 0)
    }
}
