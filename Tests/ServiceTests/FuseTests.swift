// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Glibc
import Testing

/// File systems in user space: without O_TMPFILE, without RENAME_NOREPLACE, with files known by other numbers than their own.
@Suite struct FuseTests {
    @Test func `a volume made on FUSE is at once what it stays: renamed, resized and deleted by its key`() async throws {
        try await Harness.run { harness in
            let fuse = try await SlowDirectory(harness, "p", rate: "2G")
            defer { fuse.end() }
            let (pool, directory) = try await harness.startedPool()
            for (n, options) in [[:], ["allocation": Variant.string("full"), "wait": .bool(true)]].enumerated() {
                let (volume, _) = try await harness.create(pool, "v\(n)", 1 << 20, options)
                let key = try await harness.property(volume, Harness.volumeInterface, "Key", as: String.self)
                try await harness.resize(volume, to: 2 << 20)
                try await harness.rename(volume, to: "w\(n)")
                let renamed = try await harness.described(pool, "w\(n)")
                #expect(renamed["Key"] == .string(key) && renamed["Capacity"] == .uint64(2 << 20))
                _ = try await harness.job(pool, "Refresh", ["wait": .bool(true)])
                #expect(try await harness.described(pool, "w\(n)")["Key"] == .string(key), "a rescan sees the same file")
                #expect(entries(directory) == ["w\(n)"])
                _ = try await harness.job(renamed[""]?.path ?? "/", "Delete", ["wait": .bool(true)])
                #expect(entries(directory).isEmpty)
            }
            try await harness.stop("p")
            umount2(directory, Int32(MNT_DETACH))
        }
    }

    @Test func `a key on FUSE is the same after the file system was mounted anew`() async throws {
        try await Harness.run { harness in
            var keys: [String] = []
            for turn in 0..<2 {
                let fuse = try await SlowDirectory(harness, "p", rate: "2G")
                defer { fuse.end() }
                if turn == 0 {
                    for n in 0..<3 { writeFile(harness.root + "/p/f\(n)") }
                    _ = try await harness.define("p", harness.root + "/p")
                }
                // Numbers that are given in another order are other numbers.
                if turn == 1 { _ = fileStatus(harness.root + "/p/f2") }
                let pool: ObjectPath = "/org/cistern1/pools/p"
                _ = try await harness.job(pool, "Start", ["wait": .bool(true)])
                keys.append(try await harness.described(pool, "f2")["Key"]?.text ?? "")
                _ = try await harness.job(pool, "Stop", ["wait": .bool(true)])
                umount2(harness.root + "/p", 0)
                try await eventually("it is unmounted") { fileStatus(harness.root + "/p")?.st_dev == fileStatus(harness.root)?.st_dev }
            }
            #expect(keys[0] == keys[1] && !keys[0].isEmpty, "\(keys)")
        }
    }
}
