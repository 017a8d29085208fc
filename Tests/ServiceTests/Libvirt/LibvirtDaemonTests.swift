// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing
import XML

/// Pools and volumes that go from libvirt to Cistern and back, both at work on the same directories.
@Suite(.enabled(if: LibvirtDaemon.canRun, "wants root and namespaces")) struct LibvirtDaemonTests {
    @Test func `a pool that libvirt made goes in unchanged, and its volumes are the same`() async throws {
        try await LibvirtDaemon.run { harness, libvirt in
            let directory = harness.root + "/pool"
            try await libvirt.makePool("p", directory)
            let dump = try await libvirt.virsh("pool-dumpxml", "p")
            let pool = try await harness.defineXML(dump)
            _ = try await harness.job(pool, "Start", ["wait": .bool(true)])
            #expect(try await harness.property(pool, Harness.poolInterface, "TargetPath", as: String.self) == directory)
            #expect(
                try await harness.property(pool, Harness.poolInterface, "UUID", as: String.self) == libvirt.virsh("pool-uuid", "p").line)
            #expect(try await harness.volumeNames(pool) == ["raw", "base.qcow2", "top.qcow2"])
            for name in ["raw", "base.qcow2", "top.qcow2"] {
                try await expectSame(harness.volumeXML(pool, name), libvirt.virsh("vol-dumpxml", name, "p"))
            }
        }
    }

    @Test func `a pool that Cistern made goes to libvirt and back, and its volumes are the same`() async throws {
        try await LibvirtDaemon.run { harness, libvirt in
            let (pool, directory) = try await harness.startedPool("p")
            _ = try await harness.create(pool, "raw", 5 << 20, ["allocation": .string("full"), "wait": .bool(true)])
            let (base, _) = try await harness.create(pool, "base.qcow2", 10 << 20, ["format": .string("qcow2"), "wait": .bool(true)])
            let overlay: [String: Variant] = ["format": .string("qcow2"), "backing": .path(base), "wait": .bool(true)]
            _ = try await harness.create(pool, "top.qcow2", 20 << 20, overlay)
            let xml = try await harness.poolXML(pool, ["compatible": .bool(true)])
            try await libvirt.virsh("pool-define", "--validate", harness.file("pool.xml", xml))
            // Of an active pool libvirt tells the directory's permissions too.
            let dump = try await libvirt.virsh("pool-dumpxml", "p")
            try await libvirt.virsh("pool-start", "p")
            for name in ["raw", "base.qcow2", "top.qcow2"] {
                try await expectSame(harness.volumeXML(pool, name), libvirt.virsh("vol-dumpxml", name, "p"))
            }
            let settings = try #require(await harness.properties(pool, Harness.poolInterface)["Settings"]?.dictionary)
            _ = try await harness.job(pool, "Stop", ["wait": .bool(true)])
            try await harness.call(pool, Harness.poolInterface, "Undefine", [String: Variant]())
            let again = try await harness.defineXML(dump)
            let back = try await harness.properties(again, Harness.poolInterface)["Settings"]?.dictionary
            #expect(back == settings, "\(xml)")
            #expect(settings["target.path"] == .string(directory))
        }
    }

    @Test(arguments: definitions.keys.sorted())
    func `a definition of every type that libvirt has here goes there and back`(type: String) async throws {
        let inner = try #require(Self.definitions[type])
        try await LibvirtDaemon.run { harness, libvirt in
            let pool = try await harness.defineXML("<pool type='\(type)'><name>p</name>\(inner)</pool>")
            let settings = try #require(await harness.properties(pool, Harness.poolInterface)["Settings"]?.dictionary)
            let xml = try await harness.poolXML(pool, ["compatible": .bool(true)])
            try await libvirt.virsh("pool-define", "--validate", harness.file("pool.xml", xml))
            let dump = try await libvirt.virsh("pool-dumpxml", "p")
            try await harness.call(pool, Harness.poolInterface, "Undefine", [String: Variant]())
            let again = try await harness.defineXML(dump)
            let back = try await harness.properties(again, Harness.poolInterface)["Settings"]?.dictionary
            #expect(back == settings, "\(xml)\n\(dump)")
            #expect(try await harness.poolXML(again, ["compatible": .bool(true)]) == xml)
        }
    }

    /// What is inside a pool, by its type: with everything that libvirt's storage driver reads and prints.
    private static let definitions = [
        "dir": "<features><cow state='no'/></features><target><path>/srv/a</path><permissions><mode>0711</mode></permissions></target>",
        "fs": """
        <source><device path='/dev/sdx1'/><format type='ext4'/></source><target><path>/srv/a</path></target>
        <fs:mount_opts xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'><fs:option name='noatime'/></fs:mount_opts>
        """,
        "netfs": """
        <source><host name='nfs.example'/><dir path='/export/a&amp;b'/><format type='nfs'/><protocol ver='4.2'/></source>
        <target><path>/srv/a</path><permissions><owner>107</owner><group>107</group></permissions></target>
        <fs:mount_opts xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'><fs:option name='sync'/><fs:option name='ro'/></fs:mount_opts>
        """,
        "logical": """
        <source><device path='/dev/sdx'/><device path='/dev/sdy'/><name>group</name><format type='lvm2'/></source>
        <target><path>/dev/group</path></target>
        """,
        "disk": """
        <source><device path='/dev/mapper/mpatha' part_separator='yes'/><format type='gpt'/><vendor name='v'/><product name='p'/></source>
        <target><path>/dev</path></target>
        """,
        "iscsi": """
        <source><host name='10.0.0.1' port='3260'/><device path='iqn.2013-06.com.example:t'/><initiator><iqn name='iqn.2013-06.com.example:i'/></initiator>
        <auth type='chap' username='u'><secret usage='disk'/></auth></source><target><path>/dev/disk/by-path</path></target>
        """,
        "scsi": """
        <source><adapter type='fc_host' parent='scsi_host3' managed='yes' wwnn='20000000c9831b4b' wwpn='10000000c9831b4b'/></source>
        <target><path>/dev/disk/by-path</path></target>
        """,
        "mpath": "<target><path>/dev/mapper</path></target>",
    ]

    @Test func `each makes volumes of the other's XML`() async throws {
        try await LibvirtDaemon.run { harness, libvirt in
            try await libvirt.makePool("theirs", harness.root + "/theirs")
            try await libvirt.virsh("pool-define-as", "more", "dir", "--target", harness.root + "/more")
            try await libvirt.virsh("pool-build", "more")
            try await libvirt.virsh("pool-start", "more")
            let theirs = try await harness.defineXML(libvirt.virsh("pool-dumpxml", "theirs"))
            _ = try await harness.job(theirs, "Start", ["wait": .bool(true)])
            let (ours, _) = try await harness.startedPool("ours")
            for name in ["raw", "base.qcow2", "top.qcow2"] {
                let original = try await libvirt.virsh("vol-dumpxml", name, "theirs")
                _ = try await harness.createXML(ours, original, ["wait": .bool(true)])
                let made = try await harness.volumeXML(ours, name)
                try expectAlike(made, original)
                try await libvirt.virsh("vol-create", "more", harness.file("volume.xml", made))
                try await expectAlike(libvirt.virsh("vol-dumpxml", name, "more"), original)
            }
        }
    }
}

extension LibvirtDaemon {
    /// A started pool with an image, an overlay of it, and a raw volume of which a part is allocated.
    fileprivate func makePool(_ name: String, _ directory: String) async throws {
        try await virsh("pool-define-as", name, "dir", "--target", directory)
        try await virsh("pool-build", name)
        try await virsh("pool-start", name)
        try await virsh("vol-create-as", name, "raw", "5M", "--allocation", "1M")
        try await virsh("vol-create-as", name, "base.qcow2", "10M", "--format", "qcow2")
        try await virsh(
            "vol-create-as", name, "top.qcow2", "20M", "--format", "qcow2", "--backing-vol", "base.qcow2", "--backing-vol-format", "qcow2")
    }
}

extension Harness {
    func defineXML(_ xml: String) async throws -> ObjectPath {
        try await call(Self.manager, Self.managerInterface, "DefinePoolXML", xml, [String: Variant](), returning: ObjectPath.self)
    }

    fileprivate func poolXML(_ pool: ObjectPath, _ options: [String: Variant]) async throws -> String {
        try await call(pool, Self.poolInterface, "GetXML", options, returning: String.self)
    }

    fileprivate func volumeXML(_ pool: ObjectPath, _ name: String) async throws -> String {
        let path = try await described(pool, name)[""]?.path ?? "/"
        return try await call(path, Self.volumeInterface, "GetXML", [String: Variant](), returning: String.self)
    }

    /// A file with that text; its path.
    fileprivate func file(_ name: String, _ text: String) -> String {
        writeFile(root + "/" + name, Array(text.utf8))
        return root + "/" + name
    }
}

extension String {
    /// The first line.
    fileprivate var line: String { String(prefix { $0 != "\n" }) }
}

/// The texts at these paths are the same in both.
private func expectEqual(_ ours: String, _ theirs: String, _ paths: [String]) throws {
    let (ours, theirs) = (try Document.parse(ours), try Document.parse(theirs))
    for path in paths { #expect(ours.text(at: path) == theirs.text(at: path), "\(path) of \(ours.text(at: "name") ?? "")") }
}

/// Both describe one volume.
private func expectSame(_ ours: String, _ theirs: String) throws {
    let own = ["type", "name", "target/path", "allocation", "physical", "backingStore/path"]
    let permissions = ["mode", "owner", "group"].map { "target/permissions/\($0)" }
    try expectEqual(ours, theirs, own + alike + permissions)
}

/// Both describe volumes of one kind.
private func expectAlike(_ ours: String, _ theirs: String) throws { try expectEqual(ours, theirs, alike) }

private let alike = ["type", "name", "capacity", "capacity/unit", "target/format/type", "backingStore/path", "backingStore/format/type"]

extension Element {
    /// The text of the element at a path, or of the attribute that its last step names.
    fileprivate func text(at path: String) -> String? {
        var element = self
        for step in path.split(separator: "/").map(String.init) {
            guard let child = element.child(step) else { return element.attribute(step) }
            element = child
        }
        return element.text
    }
}
