// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import Testing

@Suite struct VolumeXMLTests {
    private func request(_ inner: String) throws -> VolumeRequest {
        try parsed(inner).request
    }

    private func parsed(_ inner: String) throws -> ParsedVolume {
        try VolumeRequest.parse(xml: "<volume>\n<name>v</name>\n\(inner)\n</volume>")
    }

    private func refusal(_ inner: String) -> String? {
        do throws(StorageError) { _ = try VolumeRequest.parse(xml: "<volume>\n<name>v</name>\n\(inner)\n</volume>") } catch {
            #expect(error.code == .invalidXML)
            return error.message
        }
        return nil
    }

    @Test func `reads a whole volume`() throws {
        let request = try VolumeRequest.parse(
            xml: """
                <volume type='file'>
                  <name>disk.qcow2</name>
                  <key>/var/lib/libvirt/images/disk.qcow2</key>
                  <capacity unit='GiB'>10</capacity>
                  <allocation unit='bytes'>200704</allocation>
                  <physical unit='bytes'>196688</physical>
                  <target>
                    <path>/elsewhere/disk.qcow2</path>
                    <format type='qcow2'/>
                    <permissions><mode>0600</mode><owner>107</owner><group>-1</group></permissions>
                    <timestamps><mtime>1.5</mtime></timestamps>
                  </target>
                </volume>
                """
        ).request
        var expected = VolumeRequest(name: "disk.qcow2", capacity: 10 << 30, format: "qcow2", allocation: .sparse)
        expected.mode = 0o600
        expected.owner = 107
        #expect(request == expected)
    }

    @Test func `a raw volume without allocation is reserved in full`() throws {
        #expect(try request("<capacity>1000</capacity>").allocation == .falloc)
        #expect(try request("<capacity>1000</capacity>").reserve == nil)
        #expect(try request("<capacity>1000</capacity><allocation>1000</allocation>").allocation == .falloc)
        #expect(try request("<capacity>1000</capacity><allocation>2000</allocation>").allocation == .falloc)
    }

    @Test func `allocation 0 is sparse, and a partial one reserves that much`() throws {
        #expect(try request("<capacity>1000</capacity><allocation>0</allocation>").allocation == .sparse)
        #expect(try request("<capacity>1000</capacity><allocation>0</allocation>").reserve == nil)
        let partial = try request("<capacity unit='K'>1</capacity><allocation unit='B'>24</allocation>")
        #expect(partial.allocation == .sparse)
        #expect(partial.reserve == 24)
    }

    @Test func `other formats stay sparse`() throws {
        let qcow2 = try request("<capacity>1000</capacity><target><format type='qcow2'/></target>")
        #expect(qcow2.allocation == .sparse)
        #expect(qcow2.reserve == nil)
    }

    @Test(
        arguments: [
            ("B", 1), ("b", 1), ("byte", 1), ("bytes", 1), ("K", 1 << 10), ("k", 1 << 10), ("KiB", 1 << 10), ("kib", 1 << 10), ("KB", 1000),
            ("kb", 1000),
            ("M", 1 << 20), ("MiB", 1 << 20), ("MB", 1_000_000), ("G", 1 << 30), ("GB", 1_000_000_000), ("T", 1 << 40), ("TiB", 1 << 40),
            ("TB", 1_000_000_000_000), ("P", 1 << 50), ("PiB", 1 << 50), ("PB", 1_000_000_000_000_000), ("E", 1 << 60), ("EiB", 1 << 60),
            ("EB", 1_000_000_000_000_000_000),
        ] as [(String, UInt64)])
    func `knows libvirt's units`(_ unit: String, _ factor: UInt64) throws {
        #expect(try request("<capacity unit='\(unit)'>3</capacity>").capacity == 3 * factor)
    }

    @Test(arguments: [
        "", "x", "1.5", "-1", "+1", " ", "0x10", "1e3", "18446744073709551616", "9223372036854775808",
        "99999999999999999999999999999999",
    ])
    func `refuses numbers that are none`(_ number: String) throws {
        #expect(try #require(refusal("<capacity>\(number)</capacity>")).contains("line 3: capacity"))
    }

    @Test(arguments: [("8", "EiB"), ("10", "EB"), ("9007199254740992", "K"), ("1", "Z"), ("1", ""), ("1", "iB"), ("1", "KiBs")])
    func `refuses overflow and unknown units`(_ number: String, _ unit: String) throws {
        #expect(try #require(refusal("<capacity unit='\(unit)'>\(number)</capacity>")).contains("capacity"))
    }

    @Test(arguments: [
        ("", "the element capacity is missing"), ("<capacity>1</capacity><capacity>1</capacity>", "capacity is there twice"),
        ("<capacity>1</capacity><frob/>", "the element frob"),
        ("<capacity>1</capacity><backingStore><format type='raw'/></backingStore>", "the element backingStore/path is missing"),
        ("<backingStore><path>x</path></backingStore>", "backingStore/path is “x”, but an absolute path"),
        ("<capacity>1</capacity><backingStore index='1'><path>/x</path></backingStore>", "the attribute backingStore/@index"),
        ("<capacity>1</capacity><target><encryption format='qcow'/></target>", "target/encryption/@format is “qcow”"),
        ("<capacity>1</capacity><target><encryption format='luks2'/></target>", "target/encryption/@format is “luks2”"),
        ("<capacity>1</capacity><target><encryption format='luks' engine='librbd'/></target>", "target/encryption/@engine is “librbd”"),
        ("<capacity>1</capacity><target><encryption><cipher name='aes'/></encryption></target>", "@format is missing"),
        ("<capacity>1</capacity><target><encryption format='luks'><cipher name='aes'/></encryption></target>", "the attribute size"),
        ("<capacity>1</capacity><target><features><lazy_refcounts>no</lazy_refcounts></features></target>", "which holds none"),
        ("<capacity>1</capacity><target><clusterSize unit='parsec'>1</clusterSize></target>", "the unit “parsec”"),
        ("<capacity>1</capacity><target><format type='raw' x='1'/></target>", "the attribute target/format/@x"),
        ("<capacity>1</capacity><target><format type=''/></target>", "target/format/@type is empty"),
        ("<capacity>1</capacity><target><format/><format type='raw'/></target>", "the element target/format is there twice"),
        ("<capacity>1</capacity><target><permissions><mode>7777</mode></permissions></target>", "target/permissions/mode"),
    ])
    func `refuses by name and line`(_ inner: String, _ expected: String) throws {
        let message = try #require(refusal(inner))
        #expect(message.contains(expected), "\(message)")
        #expect(message.contains("line"))
    }

    @Test func `prints a volume as libvirt does`() {
        var volume = Volume(name: "a<b")
        volume.key = "k"
        volume.path = "/srv/a<b"
        volume.format = "raw"
        volume.capacity = 10
        volume.physical = 9
        volume.mode = 0o640
        volume.owner = 1
        volume.modifyTime = 1_700_000_000_000_042
        volume.birthTime = 5_000_000
        #expect(
            volume.xml() == """
                <volume type='file'>
                  <name>a&lt;b</name>
                  <key>k</key>
                  <capacity unit='bytes'>10</capacity>
                  <physical unit='bytes'>9</physical>
                  <target>
                    <path>/srv/a&lt;b</path>
                    <format type='raw'/>
                    <permissions>
                      <mode>0640</mode>
                      <owner>1</owner>
                      <group>0</group>
                    </permissions>
                    <timestamps>
                      <mtime>1700000000.000042000</mtime>
                      <btime>5.000000000</btime>
                    </timestamps>
                  </target>
                </volume>

                """)
    }

    @Test func `what is printed asks for an equal volume`() throws {
        var volume = Volume(name: "v")
        volume.capacity = 4096
        volume.allocation = 512
        volume.format = "raw"
        volume.mode = 0o600
        let request = try VolumeRequest.parse(xml: volume.xml()).request
        #expect(request.capacity == 4096)
        #expect(request.reserve == 512)
        #expect(request.mode == 0o600)
    }

    @Test func `reads layout, encryption and what the volume stands on`() throws {
        let volume = try parsed(
            """
            <capacity unit='G'>1</capacity>
            <source><device path='/dev/sda'><extent start='0' end='9'/></device></source>
            <backingStore><path>/srv/base.raw</path><permissions><label>x</label></permissions></backingStore>
            <target><format type='qcow2'/><compat>1.1</compat><nocow/><clusterSize unit='KiB'>128</clusterSize>
            <features><lazy_refcounts/><extended_l2/></features>
            <encryption format='luks' engine='qemu'><secret type='passphrase' usage='disk 1'/>
            <cipher name='serpent' size='256' mode='cbc' hash='sha512'/><ivgen name='essiv' hash='sha256'/></encryption></target>
            """)
        #expect(volume.backingPath == "/srv/base.raw" && volume.backingFormat == "raw", "never what its first bytes say")
        #expect(volume.isEncrypted && volume.secret == .usage("disk 1"))
        let request = volume.request
        #expect(request.capacity == 1 << 30 && request.format == "qcow2" && request.noCopyOnWrite)
        #expect(request.layout.compat == "1.1" && request.layout.clusterSize == 131072)
        #expect(request.layout.lazyRefcounts == true && request.layout.extendedL2 == true)
        let cipher = try #require(request.cipher)
        #expect(cipher.algorithm == "serpent-256" && cipher.mode == "cbc" && cipher.hash == "sha512")
        #expect(cipher.vector == "essiv" && cipher.vectorHash == "sha256")
    }

    @Test func `raw and encrypted is what qemu calls luks`() throws {
        let volume = try parsed(
            "<capacity>1</capacity><target><encryption format='luks'><secret uuid='0F1E2D3C4B5A69788796A5B4C3D2E1F0'/></encryption></target>"
        )
        #expect(volume.request.format == "luks" && volume.secret == .uuid("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"))
        #expect(volume.request.allocation == .sparse)
    }

    @Test func `an overlay may take its backing file's capacity`() throws {
        let volume = try parsed("<backingStore><path>/x</path><format type='qcow2'/></backingStore><target><format type='qcow2'/></target>")
        #expect(volume.request.capacity == 0 && volume.backingFormat == "qcow2")
    }

    @Test func `prints layout, encryption and what the volume stands on`() {
        var volume = Volume(name: "v")
        volume.format = "qcow2"
        volume.encryption = "luks1"
        volume.backingPath = "/srv/base"
        volume.details = [
            "compat": .string("1.1"), "cluster-size": .uint64(65536), "lazy-refcounts": .bool(true), "extended-l2": .bool(false),
            "backing-format": .string("vhdx"),
        ]
        let lines = Set(volume.xml().split(separator: "\n").map { $0.drop { $0 == " " } })
        for line in [
            "<compat>1.1</compat>", "<clusterSize unit='bytes'>65536</clusterSize>", "<lazy_refcounts/>", "<encryption format='luks'/>",
            "<path>/srv/base</path>", "<format type='vhdx'/>",
        ] { #expect(lines.contains(Substring(line)), "\(line)") }
        #expect(!lines.contains("<extended_l2/>"))
        #expect(volume.xml(compatible: true).contains("<backingStore>\n    <path>/srv/base</path>\n    <format type='unknown'/>"))
        volume.backingPath = "nbd://server/export"
        #expect(volume.xml().contains("nbd://"))
        #expect(!volume.xml(compatible: true).contains("backingStore"))
        volume.format = "luks"
        #expect(volume.xml().contains("<format type='raw'/>"), "libvirt takes it for raw data that is encrypted")
    }
}
