// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import TestSupport
import Testing
import XML

/// The model of every pool type: settings and XML say the same.
@Suite struct PoolModelTests {
    private static let types = PoolModel.all.keys.sorted()

    @Test(arguments: types)
    func `a definition goes through XML and comes back`(_ type: String) throws {
        var generator = SplitMix(seed: 11)
        for share in [0, 50, 100] {
            for _ in 0..<60 {
                let definition = PoolDefinition.sample(type, share: share, &generator)
                let xml = definition.xml()
                #expect(!xml.contains("cistern:setting"), "every setting has its place: \(xml)")
                #expect(try PoolDefinition.parse(xml: xml).definition == definition, "\(xml)")
            }
        }
    }

    @Test(arguments: types)
    func `a compatible text has everything that libvirt has a word for`(_ type: String) throws {
        var generator = SplitMix(seed: 12)
        let definition = PoolDefinition.sample(type, share: 100, &generator)
        let snapshot = PoolSnapshot(definition: definition)
        guard type != "btrfs" else {
            #expect(throws: StorageError.self) { try snapshot.xml(compatible: true) }
            return
        }
        let xml = try snapshot.xml(compatible: true)
        #expect(!xml.contains("cistern"))
        let back = try PoolDefinition.parse(xml: xml).definition
        for (key, value) in definition.settings where !["volume.format", "source.thin-pool"].contains(key) {
            #expect(back.settings[key] == value || key == "source.format", "\(key) in \(xml)")
        }
    }

    @Test(arguments: ["gluster", "sheepdog", "vstorage"])
    func `types that only libvirt has are refused by name`(_ type: String) {
        expectRefusal("<pool type='\(type)'><name>p</name></pool>", "pools of type \(type) are libvirt's alone")
    }

    @Test(arguments: ["logical", "rbd", "zfs"])
    func `a pool may be named by its source`(_ type: String) throws {
        let host = type == "rbd" ? "<host name='mon'/>" : ""
        let xml = "<pool type='\(type)'><source>\(host)<name>vg0</name></source></pool>"
        #expect(try PoolDefinition.parse(xml: xml).definition.name == "vg0")
        expectRefusal("<pool type='\(type)'><source>\(host)</source></pool>", "name is missing")
    }

    @Test(arguments: [("logical", "/dev/vg0"), ("zfs", "/dev/zvol/vg0")])
    func `where a volume group appears is told, and not asked`(_ type: String, _ path: String) throws {
        let definition = PoolDefinition(name: "p", uuid: "", type: type, settings: ["source.name": .string("vg0")])
        #expect(definition.xml().contains("<path>\(path)</path>"))
        let told = "<pool type='\(type)'><name>p</name><source><name>vg0</name></source><target><path>/else</path></target></pool>"
        #expect(try PoolDefinition.parse(xml: told).definition.settings == definition.settings)
    }

    @Test func `PCI addresses are one thing however they are written`() throws {
        func address(_ attributes: String) throws -> Value? {
            let parent = "<parentaddr unique_id='0x1'><address \(attributes)/></parentaddr>"
            let adapter = "<adapter type='scsi_host'>\(parent)</adapter>"
            let xml = "<pool type='scsi'><name>p</name><source>\(adapter)</source><target><path>/dev</path></target></pool>"
            guard case .map(let map) = try PoolDefinition.parse(xml: xml).definition.settings["source.adapter"] else { return nil }
            return map["parent-address"]
        }
        #expect(try address("domain='0x0000' bus='0x00' slot='0x1f' function='0x2'") == .string("0000:00:1f.2"))
        #expect(try address("domain='0' bus='0' slot='31' function='2'") == .string("0000:00:1f.2"))
        #expect(try address("bus='0' slot='31' function='2'") == .string("0000:00:1f.2"))
        #expect(throws: StorageError.self) { try address("bus='0' slot='32' function='2'") }
        #expect(throws: StorageError.self) { try address("slot='1' function='2'") }
    }

    @Test(arguments: [
        ("fs", "<format type='ntfs3g'/>", "source/format/@type must be one of auto"),
        ("netfs", "<protocol ver='4,ro'/>", "source/protocol/@ver must be a version"),
        ("netfs", "<host name='a b'/>", "source/host must have names"), ("netfs", "<host port='1'/>", "source/host has no attribute name"),
        ("netfs", "<host name='a' port='65536'/>", "source/host/@port is “65536”"),
        ("iscsi", "<auth type='ceph' username='u'><secret usage='x'/></auth>", "source/auth/@type is “ceph”, but chap is needed"),
        ("iscsi", "<auth type='chap' username='u'><secret uuid='x'/></auth>", "source/auth/secret/@uuid is “x”, which is no UUID"),
        ("disk", "<device path='/dev/sdb' part_separator='maybe'/>", "source/device/@part_separator is “maybe”"),
        ("scsi", "<adapter type='usb_host'/>", "source/adapter needs “type”"), ("scsi", "<adapter name='a'/><adapter/>", "is there twice"),
        ("scsi", "<adapter type='scsi_host'/>", "needs either “name” or “parentaddr/address”"),
        ("scsi", "<adapter type='fc_host' wwnn='20000000c9831b4b'/>", "needs “wwnn” and “wwpn”"),
        ("scsi", "<adapter type='fc_host' wwnn='x' wwpn='y'/>", "has “wwnn”"),
        ("scsi", "<adapter type='fc_host' name='n' wwnn='20000000c9831b4b' wwpn='20000000c9831b4b'/>", "has “name”, which"),
    ])
    func `refuses values by name and line`(_ type: String, _ source: String, _ expected: String) {
        expectRefusal("<pool type='\(type)'>\n<name>p</name>\n<source>\n\(source)</source>\n</pool>", expected)
    }

    @Test(arguments: [
        ("options", "<rbd:option name='a' value='1'/><rbd:option name='a' value='2'/>", "“a” is there twice"),
        ("options", "<rbd:option name='a'/>", "needs the attributes name and value"),
        ("options", "<rbd:option name='a' value='1' more='2'/>", "the attribute rbd:config_opts/rbd:option/@more"),
    ])
    func `refuses options by name`(_ kind: String, _ options: String, _ expected: String) {
        expectRefusal(
            """
            <pool type='rbd' xmlns:rbd='http://libvirt.org/schemas/storagepool/rbd/1.0'><name>p</name>
            <rbd:config_opts>\(options)</rbd:config_opts></pool>
            """, expected)
    }

    private func expectRefusal(_ xml: String, _ expected: String, _ location: SourceLocation = #_sourceLocation) {
        do throws(StorageError) {
            _ = try PoolDefinition.parse(xml: xml)
            Issue.record("was accepted: \(xml)", sourceLocation: location)
        } catch {
            #expect(error.code == .invalidXML, sourceLocation: location)
            #expect(error.message.contains(expected) && error.message.contains("line"), "\(error.message)", sourceLocation: location)
        }
    }
}
