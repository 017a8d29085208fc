// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import TestSupport
import Testing

@Suite struct PoolXMLTests {
    private let uuid = "4b9a8f00-6a3f-4c2e-9d51-0a1b2c3d4e5f"

    private func refusal(_ xml: String) -> String? {
        do throws(StorageError) { _ = try PoolDefinition.parse(xml: xml) } catch {
            #expect(error.code == .invalidXML)
            return error.message
        }
        return nil
    }

    private func pool(_ inner: String, type: String = "dir") -> String {
        "<pool type='\(type)'>\n<name>p</name>\n\(inner)\n<target><path>/srv/p</path></target>\n</pool>"
    }

    @Test func `reads what libvirt prints`() throws {
        let definition = try PoolDefinition.parse(
            xml: """
                <pool type='dir'>
                  <name>default</name>
                  <uuid>4B9A8F006A3F4C2E9D510A1B2C3D4E5F</uuid>
                  <capacity unit='bytes'>105089261568</capacity>
                  <allocation unit='bytes'>1</allocation>
                  <available unit='bytes'>2</available>
                  <source>
                  </source>
                  <target>
                    <path>/var/lib/libvirt/images</path>
                    <permissions>
                      <mode>0711</mode>
                      <owner>107</owner>
                      <group>-1</group>
                      <label>system_u:object_r:virt_image_t:s0</label>
                    </permissions>
                  </target>
                </pool>
                """
        ).definition
        #expect(definition.name == "default")
        #expect(definition.uuid == uuid)
        #expect(definition.type == "dir")
        #expect(
            definition.settings == [
                "target.path": .string("/var/lib/libvirt/images"), "target.mode": .uint32(0o711), "target.owner": .uint32(107),
            ])
    }

    @Test func `a pool without UUID has none yet`() throws {
        #expect(try PoolDefinition.parse(xml: pool("")).definition.uuid == "")
    }

    @Test func `prints what libvirt prints, and what libvirt has no word for`() throws {
        var snapshot = PoolSnapshot(
            definition: PoolDefinition(
                name: "a&b", uuid: uuid, type: "dir",
                settings: [
                    "target.path": .string("/srv/a"), "target.mode": .uint32(0o700), "volume.format": .string("qcow2"),
                    "options.mount": .strings(["ro", "x y"]),
                ]))
        snapshot.space = Space(capacity: 3, allocation: unknownSize, available: 1)
        #expect(
            try snapshot.xml(compatible: false) == """
                <pool xmlns:cistern='urn:cistern:1' type='dir'>
                  <name>a&amp;b</name>
                  <uuid>\(uuid)</uuid>
                  <capacity unit='bytes'>3</capacity>
                  <available unit='bytes'>1</available>
                  <target>
                    <path>/srv/a</path>
                    <permissions>
                      <mode>0700</mode>
                    </permissions>
                  </target>
                  <cistern:volume-format>qcow2</cistern:volume-format>
                  <cistern:setting name='options.mount' type='as'>
                    <cistern:item name='' type='s'>ro</cistern:item>
                    <cistern:item name='' type='s'>x y</cistern:item>
                  </cistern:setting>
                </pool>

                """)
        let compatible = try snapshot.xml(compatible: true)
        #expect(!compatible.contains("cistern"))
        #expect(compatible.contains("<path>/srv/a</path>"))
        #expect(snapshot.definition.xml().contains("cistern:volume-format"))
        #expect(!snapshot.definition.xml().contains("capacity"))
    }

    @Test(arguments: [
        ("<uuid>nonsense</uuid>", "line 3: uuid is “nonsense”, which is no UUID"), ("<frob/>", "line 3: the element frob"),
        ("<source><dir path='/x'/></source>", "the element source/dir"), ("<source x='1'/>", "the attribute source/@x"),
        ("<source>text</source>", "text in the element source"), ("<name>q</name>", "the element name is there twice"),
        ("<features><acl/></features>", "the element features/acl"), ("<features><cow state='x'/></features>", "yes or no"),
        ("<x:y xmlns:x='urn:z'/>", "the element {urn:z}y"),
        ("<cistern:y xmlns:cistern='urn:cistern:1'/>", "the element cistern:y"), ("<target/>", "the element target is there twice"),
        ("<uuid><b/></uuid>", "the element uuid/b"), ("<uuid a='1'>x</uuid>", "the attribute uuid/@a"),
        ("<c:setting xmlns:c='urn:cistern:1' name='n' type='u'>x</c:setting>", "“x” is no value of type u"),
        ("<c:setting xmlns:c='urn:cistern:1' name='target.path'>x</c:setting>", "the setting target.path is there twice"),
        ("<c:setting xmlns:c='urn:cistern:1'>x</c:setting>", "no attribute name"),
    ])
    func `refuses by name and line`(_ inner: String, _ expected: String) throws {
        let message = try #require(refusal(pool(inner)))
        #expect(message.contains(expected), "\(message)")
        #expect(message.contains("line"))
    }

    @Test(arguments: [
        ("mode", "1777"), ("mode", "0999"), ("mode", ""), ("mode", "-1"), ("owner", "-2"), ("owner", "root"), ("group", "4294967295"),
        ("owner", ""),
    ])
    func `refuses permissions that are none`(_ name: String, _ value: String) throws {
        let xml = "<pool type='dir'><name>p</name><target><permissions><\(name)>\(value)</\(name)></permissions></target></pool>"
        #expect(try #require(refusal(xml)).contains("target/permissions/\(name)"))
    }

    @Test(arguments: [
        "<pool><name>a</name></pool>", "<pool type='dir'/>", "<volume type='dir'/>", "<pool type='dir'><name>a/b</name></pool>",
        "<pool type='dir'><name>.cistern-a</name></pool>", "<pool xmlns='urn:x' type='dir'><name>a</name></pool>",
    ])
    func `refuses other roots, and pools without type or name`(_ xml: String) {
        #expect(refusal(xml) != nil)
    }

    @Test(arguments: [
        "<!DOCTYPE pool [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><pool type='dir'><name>&x;</name></pool>", "<pool", "", "\0",
        "<pool type='dir'><name>a\u{FFFF}</name></pool>",
    ])
    func `refuses hostile texts as invalid XML`(_ xml: String) {
        #expect(refusal(xml) != nil)
    }

    @Test func `refuses 30 MiB`() {
        #expect(refusal("<pool type='dir'><name>" + String(repeating: "a", count: 30 << 20) + "</name></pool>") != nil)
    }

    @Test func `every definition survives a round trip`() throws {
        var generator = SplitMix(seed: 2026)
        for _ in 0..<3000 {
            let definition = PoolDefinition.arbitrary(&generator)
            let back = try PoolDefinition.parse(xml: definition.xml()).definition
            #expect(back == definition, "\(definition.xml())")
        }
    }

    @Test func `every compatible text is read again`() throws {
        var generator = SplitMix(seed: 5)
        for _ in 0..<500 {
            let snapshot = PoolSnapshot(definition: .arbitrary(&generator))
            let back = try PoolDefinition.parse(xml: snapshot.xml(compatible: true)).definition
            #expect(back.uuid == snapshot.definition.uuid)
            for (key, value) in back.settings { #expect(snapshot.definition.settings[key] == value) }
        }
    }
}

extension PoolDefinition {
    fileprivate static func arbitrary(_ generator: inout SplitMix) -> PoolDefinition {
        let digits = (0..<32).map { _ in String(Int.random(in: 0..<16, using: &generator), radix: 16) }.joined()
        var uuid = ""
        for (index, digit) in digits.enumerated() { uuid += ([8, 12, 16, 20].contains(index) ? "-" : "") + String(digit) }
        var settings: [String: Value] = [:]
        let keys = ["target.path", "target.mode", "target.owner", "target.group", "volume.format", "options.mount", "x", "source.hosts"]
        for key in keys where Bool.random(using: &generator) { settings[key] = .arbitrary(&generator, key) }
        if Bool.random(using: &generator) { settings[.arbitrary(&generator) + "k"] = .arbitrary(&generator, "") }
        let name = String.arbitrary(&generator).filter { $0.isLetter || " &<>'\"%-".contains($0) }
        return PoolDefinition(
            name: "n" + String(name.prefix(20)), uuid: uuid, type: ["dir", "simulated"].randomElement(using: &generator) ?? "dir",
            settings: settings)
    }
}

extension Value {
    fileprivate static func arbitrary(_ generator: inout SplitMix, _ key: String, depth: Int = 0) -> Value {
        if key == "target.mode", Bool.random(using: &generator) { return .uint32(.random(in: 0...0o777, using: &generator)) }
        switch Int.random(in: 0..<(depth > 2 ? 5 : 8), using: &generator) {
        case 0: return .bool(.random(using: &generator))
        case 1: return .uint32(.random(in: 0 ... .max, using: &generator))
        case 2: return .uint64(.random(in: 0 ... .max, using: &generator))
        case 3: return .double(.random(in: -1e9...1e9, using: &generator))
        case 4: return .string(.arbitrary(&generator))
        case 5: return .strings((0..<Int.random(in: 0..<4, using: &generator)).map { _ in .arbitrary(&generator) })
        case 6:
            return .hosts(
                (0..<Int.random(in: 0..<4, using: &generator)).map { _ in
                    Host(name: .arbitrary(&generator), port: .random(in: 0 ... .max, using: &generator))
                })
        default:
            var map: [String: Value] = [:]
            for _ in 0..<Int.random(in: 0..<4, using: &generator) {
                map[.arbitrary(&generator)] = .arbitrary(&generator, "", depth: depth + 1)
            }
            return .map(map)
        }
    }
}

extension String {
    fileprivate static func arbitrary(_ generator: inout SplitMix) -> String {
        let alphabet: [Unicode.Scalar] = [
            "a", "/", " ", "\n", "\r", "\t", "&", "<", ">", "'", "\"", "%", "ä", "€", "𐍈", "\u{1}", "\u{7F}", "\u{85}", "\u{FFFE}", "]",
        ]
        var text = ""
        for _ in 0..<Int.random(in: 0..<12, using: &generator) {
            text.unicodeScalars.append(alphabet.randomElement(using: &generator) ?? "a")
        }
        return text
    }
}
