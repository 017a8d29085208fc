// SPDX-License-Identifier: LGPL-2.1-or-later
import Backends
import Cistern
import EventLoop
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .inTheLab) struct FilesystemConformanceTests {
    @Test(.timeLimit(.minutes(5)), arguments: ["ext4", "btrfs"])
    func `a pool on a whole file system keeps the contract`(_ format: String) async throws {
        try await Disk.plugged { disk in
            let types = BackendTable.types(workers: Workers(), owner: "lab", simulate: false)
            let type = try #require(types["fs"])
            let definition = PoolDefinition(
                name: "p", uuid: "11111111-2222-4333-8444-555555555555", type: "fs",
                settings: [
                    "source.devices": .strings([disk.node]), "source.format": .string(format), "target.path": .string(place),
                ])
            let backend = try type.make(definition)
            try await #require(backend as? any Buildable).build(overwrite: true, .ignored())
            let violations = try await checkBackend {
                // What the last check left goes; the file system stays.
                _ = try await backend.start(.ignored())
                for entry in Guest.entries(place).subtracting(["lost+found"]) { try await Guest.run("rm", "-rf", "\(place)/\(entry)") }
                try await backend.stop(.ignored())
                return Subject(
                    try type.make(definition),
                    put: { name, bytes in try await Guest.run("truncate", "--size", "\(bytes)", "\(place)/\(name)") },
                    putForeign: { name in
                        try await Guest.run("mkfifo", "\(place)/\(name)")
                        return name
                    })
            }
            #expect(violations == [])
        }
    }
}
