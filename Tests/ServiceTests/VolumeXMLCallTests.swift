// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import TestSupport
import Testing

/// Volumes made by libvirt's XML.
@Suite struct VolumeXMLCallTests {
    @Test func `an overlay takes layout, backing file and its capacity from the XML`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let (base, _) = try await harness.create(pool, "base", 5 << 20)
            let volume = try await harness.create(
                pool,
                """
                <volume><name>v.qcow2</name><target><format type='qcow2'/><compat>1.1</compat><clusterSize unit='KiB'>32</clusterSize>
                <features><lazy_refcounts/></features></target><backingStore><path>\(directory)/base</path></backingStore></volume>
                """)
            let properties = try await harness.properties(volume, Harness.volumeInterface)
            #expect(properties["Capacity"] == .uint64(5 << 20) && properties["BackingVolume"] == .path(base))
            let details = try #require(properties["Details"]?.dictionary)
            #expect(details["cluster-size"] == .uint64(32768) && details["lazy-refcounts"] == .bool(true))
            #expect(details["backing-format"] == .string("raw"), "raw, since the XML does not say otherwise")
            let xml = try await harness.call(volume, Harness.volumeInterface, "GetXML", [String: Variant](), returning: String.self)
            for line in ["<compat>1.1</compat>", "<clusterSize unit='bytes'>32768</clusterSize>", "<path>\(directory)/base</path>"] {
                #expect(xml.contains(line), "\(xml)")
            }
            let again = xml.replacing("v.qcow2", with: "w.qcow2")
            let copy = try await harness.create(pool, again)
            #expect(try await harness.properties(copy, Harness.volumeInterface)["Details"] == properties["Details"])
            await expectError("Busy") { _ = try await harness.job(base, "Delete") }
        }
    }

    @Test(.enabled(if: getuid() == 0, "wants root, to be another user"))
    func `a backing file that is no volume is root's alone to name`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let outside = harness.root + "/outside"
            writeFile(outside, [UInt8](repeating: 1, count: 4096))
            func xml(_ more: String) -> String {
                """
                <volume><name>v</name>\(more)<target><format type='qcow2'/></target>
                <backingStore><path>\(outside)</path><format type='raw'/></backingStore></volume>
                """
            }
            await expectError(invalidArgs) { _ = try await harness.create(pool, xml("")) }
            let volume = try await harness.create(pool, xml("<capacity>4096</capacity>"))
            #expect(try await harness.property(volume, Harness.volumeInterface, "BackingPath", as: String.self) == outside)
            #expect(entries(directory) == ["v"])
        }
    }

    @Test(arguments: [("raw", "luks"), ("qcow2", "qcow2")])
    func `an encrypted volume takes cipher from the XML and passphrase from the descriptor`(format: String, made: String) async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            func xml(_ encryption: String) -> String {
                "<volume><name>v</name><capacity>8388608</capacity><target><format type='\(format)'/>\(encryption)</target></volume>"
            }
            let luks = """
                <encryption format='luks'><secret type='passphrase' usage='disk 1'/><cipher name='aes' size='128' mode='cbc' hash='sha512'/>
                <ivgen name='essiv' hash='sha256'/></encryption>
                """
            func passphrase() throws -> Variant {
                var ends: [Int32] = [-1, -1]
                try #require(pipe(&ends) == 0)
                _ = "horse".withCString { write(ends[1], $0, 5) }
                close(ends[1])
                return .descriptor(UnixDescriptor(adopting: ends[0]))
            }
            await expectError("NotFound") { _ = try await harness.create(pool, xml(luks)) }
            await expectError(invalidArgs) { _ = try await harness.create(pool, xml("<encryption format='luks'/>")) }
            await expectError(invalidArgs) { _ = try await harness.create(pool, xml(""), ["passphrase": passphrase()]) }
            await expectError(invalidArgs) {
                _ = try await harness.create(pool, xml(luks.replacing("'aes'", with: "'aes,x=y'")), ["passphrase": passphrase()])
            }
            #expect(entries(directory).isEmpty)
            let volume = try await harness.create(pool, xml(luks), ["passphrase": passphrase()])
            let properties = try await harness.properties(volume, Harness.volumeInterface)
            #expect(properties["Format"] == .string(made) && properties["Encryption"] == .string("luks1"))
            let answer = try await harness.tool("qemu-img", "info", "--output=json", "-f", made, directory + "/v")
            for word in ["aes-128", "cbc", "sha512", "essiv"] { #expect(answer.text.contains("\"\(word)\""), "\(answer.text)") }
            let printed = try await harness.call(volume, Harness.volumeInterface, "GetXML", [String: Variant](), returning: String.self)
            #expect(printed.contains("<format type='\(format)'/>") && printed.contains("<encryption format='luks'/>"))
        }
    }

    @Test func `nocow is no wish where nothing is copied on write`() async throws {
        try await Harness.run { harness in
            let (pool, _) = try await harness.startedPool()
            let volume = try await harness.create(
                pool, "<volume><name>v</name><capacity>4096</capacity><target><nocow/></target></volume>")
            #expect(try await harness.property(volume, Harness.volumeInterface, "Capacity", as: UInt64.self) == 4096)
        }
    }
}

extension Harness {
    fileprivate func create(_ pool: ObjectPath, _ xml: String, _ options: [String: Variant] = [:]) async throws -> ObjectPath {
        let options = options.merging(["wait": .bool(true)]) { $1 }
        return try await call(
            pool, Self.poolInterface, "CreateVolumeXML", xml, options, returning: ObjectPath.self, ObjectPath.self
        ).0
    }
}
