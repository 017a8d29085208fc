// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import CLinux
import EventLoop
import Glibc
import Testing

/// What other storage daemons were seen to fail at, as to image files that others made.
@Suite struct PeerImageFailureTests {
    @Test(arguments: [nil, "raw", "qcow2"])
    func `a pipe as backing file hangs nothing`(format: String?) async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            mkfifo(directory + "/pipe", 0o600)
            mkfifo(harness.root + "/outside", 0o600)
            writeFile(directory + "/near", qcow2(1 << 20, backing: "pipe", format: format))
            writeFile(directory + "/absolute", qcow2(1 << 20, backing: directory + "/pipe", format: format))
            writeFile(directory + "/far", qcow2(1 << 20, backing: harness.root + "/outside", format: format))
            let began = ContinuousClock.now
            _ = try await harness.skippedAfterRefresh(pool)
            #expect(ContinuousClock.now - began < .seconds(2))
            for name in ["near", "absolute"] {
                let volume = try await harness.described(pool, name)
                #expect(volume["State"] == .string("error"), "\(name) \(volume)")
                #expect(volume["StateReason"]?.text?.contains("named pipe") == true, "\(volume)")
                #expect(volume["BackingPath"] == .string(directory + "/pipe") && volume["BackingVolume"] == .path("/"))
                #expect(volume["Capacity"] == .uint64(1 << 20))
            }
            let far = try await harness.described(pool, "far")
            #expect(far["State"] == .string("ready") && far["BackingPath"] == .string(harness.root + "/outside"), "nothing looks there")
            #expect(try await harness.property(pool, Harness.poolInterface, "State", as: String.self) == "active")
        }
    }

    @Test func `images that are their own or each other's backing file: state error, and no copy goes round for ever`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            for (name, backing) in [("self", "self"), ("a", "b"), ("b", "a"), ("on-top", "a"), ("dots", "../p/dots")] {
                writeFile(directory + "/" + name, qcow2(1 << 20, backing: backing, format: "qcow2"))
            }
            let began = ContinuousClock.now
            _ = try await harness.skippedAfterRefresh(pool)
            #expect(ContinuousClock.now - began < .seconds(2))
            for name in ["self", "a", "b", "on-top", "dots"] {
                let volume = try await harness.described(pool, name)
                #expect(volume["State"] == .string("error") && volume["StateReason"]?.text?.isEmpty == false, "\(name) \(volume)")
                await harness.expectNoClone(pool, of: volume)
            }
            #expect(try await harness.described(pool, "self")["StateReason"]?.text?.contains("its own") == true)
            #expect(try await harness.described(pool, "a")["StateReason"]?.text?.contains("/b") == true, "the loop is named")
            #expect(entries(directory).count == 5)

            // A loop that is undone is no error any more.
            writeFile(directory + "/b", qcow2(1 << 20))
            try await eventually("the chain is sound again") {
                try await harness.described(pool, "a")["State"] == .string("ready")
            }
            let base = try await harness.described(pool, "b")
            #expect(base["State"] == .string("ready") && base["Dependents"]?.paths?.count == 1, "\(base)")
        }
    }

    @Test func `broken headers are volumes in state error, of unknown capacity, and never of 16 EiB`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let whole = qcow2(1 << 20)
            let broken: [String: (format: String, bytes: [UInt8])] = [
                "qcow2-huge": ("qcow2", whole.with(24, [UInt8](repeating: 0xFF, count: 8))),
                "qcow2-cluster-bits": ("qcow2", whole.with(20, [0, 0, 0, 77])),
                "qcow2-version": ("qcow2", whole.with(4, [0, 0, 0, 99])),
                "qcow2-short": ("qcow2", Array(whole.prefix(20))), "qcow2-magic-only": ("qcow2", Array(whole.prefix(4))),
                "qcow2-backing": ("qcow2", whole.with(8, [0x7F, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0xFF])),
                "qed-huge": ("qed", [0x51, 0x45, 0x44, 0] + [UInt8](repeating: 0xFF, count: 508)),
                "vmdk-huge": ("vmdk", [0x4B, 0x44, 0x4D, 0x56, 1, 0, 0, 0] + [UInt8](repeating: 0xFF, count: 504)),
            ]
            for (name, image) in broken { writeFile(directory + "/" + name, image.bytes) }
            writeFile(directory + "/good", whole)
            _ = try await harness.skippedAfterRefresh(pool)
            for (name, image) in broken {
                let volume = try await harness.described(pool, name)
                #expect(volume["State"] == .string("error") && volume["StateReason"]?.text?.isEmpty == false, "\(name) \(volume)")
                #expect(volume["Capacity"] == .uint64(.max), "\(name) \(volume)")
                #expect(volume["Format"] == .string(image.format), "\(name)")
                #expect(volume["Physical"] == .uint64(UInt64(image.bytes.count)), "\(name)")
            }
            #expect(try await harness.described(pool, "good")["Capacity"] == .uint64(1 << 20))
            let provisioned = try await harness.property(pool, Harness.poolInterface, "Provisioned", as: UInt64.self)
            #expect(provisioned == 1 << 20, "what nobody knows is not counted")
            #expect(try await harness.property(pool, Harness.poolInterface, "State", as: String.self) == "active")
        }
    }

    @Test func `an image that names a file of the host makes nobody read it`() async throws {
        try await Harness.run { harness in
            let secret = harness.root + "/secret"
            writeFile(secret, Array("the host's own".utf8))
            let (pool, directory) = try await harness.startedPool()
            let watch = linux_inotify()
            let file = open(secret, linux_O_PATH | O_CLOEXEC)
            #expect(linux_inotify_add(watch, file, 0x21 /* IN_OPEN | IN_ACCESS */) >= 0)
            defer {
                close(watch)
                close(file)
            }
            // Backing is the path of an object on the bus, and nothing else.
            for backing: ObjectPath in ["/etc/shadow", "/", "/org/cistern1", "/org/cistern1/volumes/p/nothing"] {
                await #expect(throws: BusError.self, "\(backing)") {
                    _ = try await harness.create(
                        pool, "v", 4096, ["format": .string("qcow2"), "backing": .path(backing), "wait": .bool(true)])
                }
            }
            await expectError(invalidArgs) {
                _ = try await harness.create(pool, "v", 4096, ["format": .string("qcow2"), "backing": .string(secret)])
            }
            let xml = "<volume><name>v</name><capacity>4096</capacity><backingStore><path>\(secret)</path></backingStore></volume>"
            await #expect(throws: BusError.self) { _ = try await harness.createXML(pool, xml, ["wait": .bool(true)]) }
            #expect(entries(directory).isEmpty)

            writeFile(directory + "/spy", qcow2(1 << 20, backing: secret, format: "raw"))
            writeFile(directory + "/spy2", qcow2(1 << 20, backing: "../secret"))
            _ = try await harness.skippedAfterRefresh(pool)
            for name in ["spy", "spy2"] {
                let volume = try await harness.described(pool, name)
                #expect(volume["BackingPath"] == .string(secret) && volume["BackingVolume"] == .path("/"), "\(volume)")
                #expect(volume["State"] == .string("ready"))
                await harness.expectNoClone(pool, of: volume, mayMake: true)
            }
            for name in entries(directory) { #expect(!head(of: directory + "/" + name, 100).starts(with: Array("the host".utf8))) }
            var events = [UInt8](repeating: 0, count: 4096)
            #expect(read(watch, &events, events.count) <= 0, "somebody opened the host's file")
        }
    }
}
