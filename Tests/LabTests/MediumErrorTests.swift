// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

private let megabyte: UInt64 = 1 << 20

/// Disks with places that cannot be read any more: one file, or one operation, fails, and tells why.
@Suite(.serialized, .inTheLab) struct MediumErrorTests {
    @Test func `an image whose beginning cannot be read hides no other`() async throws {
        try await onDisk { daemon, disk in
            let pool = try await daemon.startedPool(on: disk, "ext4")
            for name in ["good", "bad"] {
                _ = try await daemon.create(pool, name, megabyte, ["format": .string("qcow2"), "wait": .bool(true)])
            }
            let volume = try await daemon.call(pool, "Pool", "GetVolume", "bad", [String: Variant](), returning: ObjectPath.self)
            let sector = try await Self.sector(of: place + "/bad")
            try await Guest.forgetCaches(of: place)
            try disk.lose(sector: sector)
            await expectError("Failed") {
                _ = try await daemon.call(
                    volume, "Volume", "Resize", 2 * megabyte, ["wait": Variant.bool(true)], returning: ObjectPath.self)
            }

            try await daemon.perform(pool, "Pool", "Stop")
            try await daemon.perform(pool, "Pool", "Start")
            let properties = try await daemon.properties(pool, "Pool")
            #expect(properties["State"]?.text == "active")
            #expect(try await daemon.volumes(of: pool) == ["good"])
            let skipped = properties["Skipped"]?.elements?.compactMap { $0.elements?.compactMap(\.text) } ?? []
            #expect(skipped.contains(["bad", "unreadable: input/output error"]), "\(skipped)")

            try disk.loseNothing()
            try await daemon.perform(pool, "Pool", "Refresh")
            #expect(try await daemon.volumes(of: pool) == ["good", "bad"])
            try await daemon.perform(pool, "Pool", "Stop")
        }
    }

    @Test func `files that cannot be asked for anything hide no others`() async throws {
        try await onDisk { daemon, disk in
            let pool = try await daemon.startedPool(on: disk, "xfs")
            // The root directory and the first of them are read together.
            try await Guest.run("sh", "-c", "cd \(place) && touch $(seq 200)")
            let inode = try await Guest.run("stat", "--format=%i", place + "/150")
            let sector = try await Guest.run("xfs_db", "-r", "-c", "convert ino \(inode) daddr", disk.node)
            try await Guest.forgetCaches(of: place)
            try await daemon.perform(pool, "Pool", "Stop")
            try disk.lose(sector: try #require(Self.number(in: sector)))
            try await daemon.perform(pool, "Pool", "Start")
            let names = try await daemon.volumes(of: pool)
            #expect(names.contains("1") && names.contains("100") && !names.contains("150") && names.count > 100, "\(names.sorted())")
            let properties = try await daemon.properties(pool, "Pool")
            #expect(properties["SkippedCount"]?.unsigned == UInt64(200 - names.count))
            try disk.loseNothing()
            try await daemon.perform(pool, "Pool", "Stop")
        }
    }

    @Test(arguments: [FileSystem.ext4, .xfs]) func `a directory that cannot be read leaves the list as it was, until it can`(
        _ fileSystem: FileSystem
    ) async throws {
        try await onDisk { daemon, disk in
            try await fileSystem.mounted(from: disk, at: place) {
                let directory = place + "/directory"
                // So many that they have a block of their own.
                try await Guest.run("sh", "-c", "mkdir \(directory) && cd \(directory) && touch $(seq 100)")
                // What has been changed since it was mounted stays in memory.
                try await Guest.run("umount", place)
                try await Guest.run("mount", disk.node, place)
                let pool = try await daemon.startedPool("p", at: directory)
                try disk.lose(sector: try await Self.directorySector(of: directory, fileSystem))
                try await Guest.run("blockdev", "--flushbufs", disk.node)
                try Guest.forget()
                await expectError("Unavailable") { try await daemon.perform(pool, "Pool", "Refresh") }
                let properties = try await daemon.properties(pool, "Pool")
                #expect(properties["State"]?.text == "unavailable" && properties["StateReason"]?.text?.isEmpty == false, "\(properties)")
                #expect(try await daemon.volumes(of: pool).count == 100)
                try disk.loseNothing()
                try await daemon.perform(pool, "Pool", "Refresh")
                #expect(try await daemon.properties(pool, "Pool")["State"]?.text == "active")
                try await daemon.perform(pool, "Pool", "Stop")
            }
        }
    }

    /// The sector of the disk that a file begins at.
    private static func sector(of path: String) async throws -> UInt64 {
        let map = try await Guest.run("filefrag", "-v", "-b512", path)
        // As in "   0:        0..     199:       1952..      2151:    200:".
        let line = try #require(map.split(separator: "\n").first { $0.drop(while: \.isWhitespace).hasPrefix("0:") })
        return try #require(UInt64(line.split { !$0.isNumber }[3]))
    }

    private static func directorySector(of path: String, _ fileSystem: FileSystem) async throws -> UInt64 {
        guard fileSystem == .xfs else { return try await sector(of: path) }
        let map = try await Guest.run("xfs_io", "-r", "-c", "bmap -v", path)
        // As in "   0: [0..7]:          120..127          0 (120..127)           8".
        let line = try #require(map.split(separator: "\n").first { $0.drop(while: \.isWhitespace).hasPrefix("0:") })
        return try #require(UInt64(line.split { !$0.isNumber }[3]))
    }

    /// The number in brackets: "0x119 (281)".
    private static func number(in answer: String) -> UInt64? { UInt64(answer.drop { $0 != "(" }.dropFirst().prefix(while: \.isNumber)) }
}
