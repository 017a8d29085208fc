// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import TestSupport
import Testing

/// Images that are made for clients.
@Suite struct ImageCreationTests {
    private static let size: UInt64 = 96 << 20

    private static let orders: [(format: String, options: [String: Variant])] = [
        ("qcow2", [:]), ("qcow2", ["compat": .string("0.10")]), ("qcow2", ["cluster-size": .uint64(4096), "lazy-refcounts": .bool(true)]),
        ("qcow2", ["extended-l2": .bool(true), "cluster-size": .uint32(131072)]), ("qcow2", ["allocation": .string("metadata")]),
        ("qcow2", ["allocation": .string("falloc")]), ("qcow2", ["allocation": .string("full")]), ("qcow", [:]), ("qed", [:]), ("vdi", [:]),
        ("vdi", ["allocation": .string("falloc")]), ("vmdk", [:]), ("vmdk", ["subformat": .string("streamOptimized")]), ("vpc", [:]),
        ("vpc", ["subformat": .string("fixed")]), ("vhdx", [:]), ("vhdx", ["allocation": .string("falloc")]), ("parallels", [:]),
    ]

    @Test(arguments: [true, false])
    func `images of every format are made as they were asked for`(withNameless: Bool) async throws {
        try await Harness.run { harness in
            // A FUSE file system has no O_TMPFILE: the other way of making files.
            let fuse = withNameless ? nil : try await SlowDirectory(harness, "p")
            defer { fuse?.end() }
            let (pool, directory) = try await harness.startedPool()
            // Nor can it reserve space.
            let orders = Self.orders.filter { withNameless || $0.options["allocation"] == nil }
            for (number, order) in orders.enumerated() {
                let name = "\(number).\(order.format)"
                let options = order.options.merging(["format": .string(order.format), "wait": .bool(true)]) { old, _ in old }
                let (volume, _) = try await harness.create(pool, name, Self.size, options)
                let properties = try await harness.properties(volume, Harness.volumeInterface)
                let answer = try #require(try await ImageMatrix.ask(directory + "/" + name, as: order.format))
                #expect(properties["Format"] == .string(order.format) && properties["FormatSource"] == .string("declared"))
                #expect(properties["State"] == .string("ready"))
                #expect(properties["Capacity"] == .uint64(answer.virtualSize) && answer.virtualSize == Self.size, "\(order)")
                if let size = order.options["cluster-size"]?.unsigned { #expect(answer.clusterSize == size) }
                if let compat = order.options["compat"]?.text { #expect(answer.specific?.data.compat == compat) }
                if let lazy = order.options["lazy-refcounts"]?.bool { #expect(answer.specific?.data.lazyRefcounts == lazy) }
                if let extended = order.options["extended-l2"]?.bool { #expect(answer.specific?.data.extendedL2 == extended) }
                if ["falloc", "full"].contains(order.options["allocation"]?.text) {
                    #expect(properties["Allocation"]?.unsigned ?? 0 >= Self.size, "\(order)")
                }
            }
            #expect(entries(directory).count == orders.count)
            try await harness.stop("p")
        }
    }

    @Test func `what a format does not have is refused by name, and nothing is left`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let (raw, _) = try await harness.create(pool, "raw", 4096)
            let refused: [(String, [String: Variant])] = [
                ("vdi", ["cluster-size": .uint64(4096)]), ("qcow2", ["compat": .string("2")]), ("raw", ["compat": .string("1.1")]),
                ("vmdk", ["subformat": .string("monolithicFlat")]), ("luks", [:]), ("vhdx", ["backing": .path(raw)]),
                ("raw", ["backing": .path(raw)]), ("qcow2", ["backing-format": .string("raw")]),
                ("qcow2", ["backing": .path(raw), "backing-format": .string("raw,x=y")]),
            ]
            for (format, options) in refused {
                await expectError(invalidArgs) {
                    _ = try await harness.create(pool, "v", 1 << 20, options.merging(["format": .string(format)]) { old, _ in old })
                }
            }
            await expectError("NotSupported") {
                _ = try await harness.create(pool, "v", 1 << 20, ["format": .string("qed"), "allocation": .string("full")])
            }
            await expectError("NotFound") {
                _ = try await harness.create(
                    pool, "v", 1 << 20, ["format": .string("qcow2"), "backing": .path("/org/cistern1/volumes/p/none")])
            }
            await expectError("Failed") {
                _ = try await harness.create(pool, "v", 1 << 20, ["format": .string("qcow2"), "cluster-size": .uint64(12345)])
            }
            #expect(entries(directory) == ["raw"])
        }
    }

    @Test(arguments: ["luks", "qcow2"])
    func `an encrypted volume opens with the passphrase that came through a descriptor`(format: String) async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            var ends: [Int32] = [-1, -1]
            #expect(pipe(&ends) == 0)
            let passphrase = "correct horse \(format)"
            _ = passphrase.withCString { write(ends[1], $0, passphrase.utf8.count) }
            close(ends[1])
            let reading = UnixDescriptor(adopting: ends[0])
            let (volume, _) = try await harness.create(
                pool, "v", 8 << 20, ["format": .string(format), "passphrase": .descriptor(reading), "wait": .bool(true)])
            let properties = try await harness.properties(volume, Harness.volumeInterface)
            #expect(properties["Encryption"] == .string("luks1") && properties["Capacity"] == .uint64(8 << 20))
            let key = format == "luks" ? "key-secret" : "encrypt.key-secret"
            func opens(with passphrase: String) async throws -> Bool {
                let image = "driver=\(format),file.filename=\(directory)/v,\(key)=s"
                let arguments = ["-r", "--object", "secret,id=s,data=\(passphrase)", "--image-opts", image, "-c", "read 0 512"]
                return try await Child.run("qemu-io", arguments, deadline: .seconds(60)).succeeded
            }
            #expect(try await opens(with: passphrase))
            #expect(try await !opens(with: "another"))
            let text = try await harness.call(volume, Harness.volumeInterface, "GetXML", [String: Variant](), returning: String.self)
            #expect(!text.contains("horse"))
        }
    }

    @Test func `a passphrase that is never written is not waited for by others`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            var ends: [Int32] = [-1, -1]
            #expect(pipe(&ends) == 0)
            defer { close(ends[1]) }
            let reading = UnixDescriptor(adopting: ends[0])
            let waiting = Task { @LoopActor in
                await expectError(invalidArgs) {
                    _ = try await harness.create(pool, "v", 8 << 20, ["format": .string("luks"), "passphrase": .descriptor(reading)])
                }
            }
            for number in 0..<10 { _ = try await harness.create(pool, "other\(number)", 4096) }
            await waiting.value
            #expect(entries(directory).count == 10)
        }
    }

    @Test func `cancelling a large image leaves nothing, and no program`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let signals = try await harness.allSignals()
            let (_, job) = try await harness.create(pool, "v", 64 << 30, ["format": .string("qcow2"), "allocation": .string("full")])
            for await signal in signals where signal.path == job && (signal.body[1].dictionary?["BytesDone"]?.unsigned ?? 0) > 0 { break }
            _ = try await harness.client.call(
                Harness.service, job, Harness.jobInterface, "Cancel", dynamic: [.dictionary([String: Variant]())])
            #expect(try await harness.outcome(of: job) == "cancelled")
            #expect(entries(directory).isEmpty)
            let children = readFile("/proc/\(harness.pid)/task/\(harness.pid)/children")
            #expect(children.isEmpty, "\(children)")
        }
    }

    @Test func `images that can grow do, and keep what they hold`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            for format in ["qcow2", "qed"] {
                let (volume, _) = try await harness.create(pool, format, 8 << 20, ["format": .string(format)])
                let write = try await Child.run(
                    "qemu-io", ["-f", format, "-c", "write -P 7 1M 64k", directory + "/" + format], deadline: .seconds(60))
                #expect(write.succeeded)
                _ = try await harness.call(
                    volume, Harness.volumeInterface, "Resize", 16 << 20 as UInt64, ["wait": Variant.bool(true)], returning: ObjectPath.self)
                #expect(try await harness.property(volume, Harness.volumeInterface, "Capacity", as: UInt64.self) == 16 << 20)
                let read = try await Child.run(
                    "qemu-io", ["-r", "-f", format, "-c", "read -P 7 1M 64k", directory + "/" + format], deadline: .seconds(60))
                #expect(read.succeeded && !read.text.contains("failed"))
                await expectError("ShrinkRefused") {
                    _ = try await harness.call(
                        volume, Harness.volumeInterface, "Resize", 1 << 20 as UInt64, [String: Variant](), returning: ObjectPath.self)
                }
            }
            let (fixed, _) = try await harness.create(pool, "vdi", 8 << 20, ["format": .string("vdi")])
            await expectError("NotSupported") {
                _ = try await harness.call(
                    fixed, Harness.volumeInterface, "Resize", 16 << 20 as UInt64, [String: Variant](), returning: ObjectPath.self)
            }
        }
    }
}
