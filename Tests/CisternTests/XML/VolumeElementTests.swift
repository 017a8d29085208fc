// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import Testing
import XML

/// Every element and attribute of libvirt's volume XML, with what becomes of it.
@Suite struct VolumeElementTests {
    /// What only the volume itself can know: accepted in a request, and not looked at.
    private static let told = [
        "@type", "key", "physical", "physical/@unit", "source/device/@path", "source/device/extent/@start", "source/device/extent/@end",
        "target/path", "target/permissions/label", "target/timestamps/atime", "target/timestamps/mtime", "target/timestamps/ctime",
        "target/timestamps/btime", "backingStore/permissions/mode", "backingStore/permissions/owner", "backingStore/permissions/group",
        "backingStore/permissions/label", "backingStore/timestamps/mtime",
    ]

    /// What a request has of it: a place, two values that differ, and what it changes.
    private static let asked: [(path: String, values: [String])] = [
        ("name", ["a", "b"]), ("capacity", ["4096", "8192"]), ("capacity/@unit", ["KiB", "MiB"]), ("allocation", ["0", "512"]),
        ("allocation/@unit", ["K", "KB"]), ("target/format/@type", ["raw", "qcow2"]), ("target/permissions/mode", ["0600", "0640"]),
        ("target/permissions/owner", ["1", "2"]), ("target/permissions/group", ["1", "2"]), ("target/compat", ["0.10", "1.1"]),
        ("target/nocow", [""]), ("target/clusterSize", ["4096", "8192"]), ("target/clusterSize/@unit", ["KiB", "MiB"]),
        ("target/features/lazy_refcounts", [""]), ("target/features/extended_l2", [""]), ("backingStore/path", ["/a", "/b"]),
        ("backingStore/format/@type", ["raw", "qcow2"]), ("target/encryption/@format", ["luks"]),
        ("target/encryption/secret/@usage", ["a", "b"]),
        ("target/encryption/secret/@uuid", ["0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f1"]),
        ("target/encryption/cipher/@name", ["aes", "serpent"]), ("target/encryption/cipher/@size", ["128", "256"]),
        ("target/encryption/cipher/@mode", ["cbc", "xts"]), ("target/encryption/cipher/@hash", ["sha1", "sha256"]),
        ("target/encryption/ivgen/@name", ["plain", "essiv"]), ("target/encryption/ivgen/@hash", ["sha1", "sha256"]),
    ]
    /// Says again what is clear.
    private static let fixed = [("target/encryption/@engine", "qemu"), ("target/encryption/secret/@type", "passphrase")]
    private static let refused = [
        ("target/encryption/@engine", "librbd"), ("target/encryption/@format", "luks2"), ("target/encryption/@format", "default"),
        ("target/encryption/@format", "qcow"), ("description", "x"), ("target/frob", "x"), ("backingStore/@type", "file"),
    ]

    private func request(_ places: [(String, String)]) throws -> ParsedVolume {
        var volume = Element("volume")
        var placed: Set<String> = []
        let beside: [(String, String)] =
            places.contains { $0.0.hasPrefix("target/encryption") }
            ? [("target/encryption/@format", "luks"), ("target/encryption/cipher/@size", "256"), ("target/encryption/cipher/@name", "aes")]
            : places.contains { $0.0.hasPrefix("backingStore") } ? [("backingStore/path", "/base")] : []
        let numbers =
            places.contains { $0.0.hasSuffix("/@unit") && $0.0 != "physical/@unit" }
            ? [("allocation", "5"), ("target/clusterSize", "64")] : []
        for (path, value) in places + [("name", "v"), ("capacity", "65536")] + beside + numbers where placed.insert(path).inserted {
            volume.put(value, at: path)
        }
        return try VolumeRequest.parse(xml: Places.writer.print(volume))
    }

    @Test func `what only the volume can know is accepted, and changes nothing`() throws {
        for path in Self.told {
            #expect(
                try request([(path, "7")]) == request(path.hasPrefix("backingStore") ? [("backingStore/path", "/base")] : []), "\(path)")
        }
    }

    @Test func `what is asked for is read, each value as itself`() throws {
        for (path, values) in Self.asked {
            var seen: Set<ParsedVolume> = [try request(path.hasSuffix("/@unit") ? [(path, "B")] : [])]
            if path.contains("encryption/"), !path.hasSuffix("@format") { seen = [] }
            for value in values {
                #expect(seen.insert(try request([(path, value)])).inserted || value == "raw" || value == "/a", "\(path) \(value)")
            }
        }
    }

    @Test func `what says again what is clear may say nothing else`() throws {
        for (path, value) in Self.fixed { #expect(try request([(path, value)]) == request([("target/encryption/@format", "luks")])) }
        for (path, value) in Self.refused {
            do {
                _ = try request([(path, value)])
                Issue.record("\(path) “\(value)” was accepted")
            } catch let error as StorageError {
                #expect(error.code == .invalidXML && error.message.contains(path), "\(error.message)")
            }
        }
    }

    @Test func `nothing is printed of a volume that is not in the tables`() throws {
        var volume = Volume(name: "v")
        volume.key = "k"
        volume.path = "/srv/v"
        (volume.capacity, volume.allocation, volume.physical) = (1, 2, 3)
        volume.format = "qcow2"
        volume.encryption = "luks1"
        volume.securityLabel = "l"
        (volume.modifyTime, volume.birthTime) = (4, 5)
        volume.backingPath = "/base"
        volume.details = [
            "compat": .string("1.1"), "cluster-size": .uint64(65536), "lazy-refcounts": .bool(true), "extended-l2": .bool(true),
            "backing-format": .string("raw"),
        ]
        let known = Set(Self.told + Self.asked.map(\.path))
        for compatible in [false, true] {
            let places = Places(in: try Document.parse(volume.xml(compatible: compatible)))
            #expect(Set(places.paths).subtracting(known).isEmpty)
            #expect(places.paths.count > 20)
        }
    }
}
