// SPDX-License-Identifier: LGPL-2.1-or-later
import XML

/// The setting `source.adapter`: the SCSI host whose units a pool of type `scsi` has, by name, by PCI address, or as a virtual host of
/// a Fibre Channel adapter.
///
/// `type` (`scsi_host`, `fc_host`); for the first `name`, or `parent-address` (`0000:00:1f.2`) with `unique-id u`; for the second
/// `wwnn` and `wwpn`, and what it is a virtual host of: `parent`, or `parent-wwnn` and `parent-wwpn`, or `parent-fabric-wwn`;
/// `managed b`: it is made and removed with the pool.
enum Adapter {
    /// Attributes of `<adapter>` by the keys of the setting, in printed order.
    private static let attributes: [(key: String, name: String)] = [
        ("type", "type"), ("name", "name"), ("parent", "parent"), ("parent-wwnn", "parent_wwnn"), ("parent-wwpn", "parent_wwpn"),
        ("parent-fabric-wwn", "parent_fabric_wwn"), ("managed", "managed"), ("wwnn", "wwnn"), ("wwpn", "wwpn"),
    ]
    private static let keys: [String: Set<String>] = [
        "scsi_host": ["type", "name", "parent-address", "unique-id"],
        "fc_host": ["type", "wwnn", "wwpn", "parent", "parent-wwnn", "parent-wwpn", "parent-fabric-wwn", "managed"],
    ]

    /// What is wrong with the setting; nil if nothing is.
    ///
    /// - Parameter name: what a key is called where the setting comes from.
    static func complaint(_ map: [String: Value], _ name: (String) -> String = { $0 }) -> String? {
        guard case .string(let type) = map["type"], let known = keys[type] else {
            return "needs “type”, which is scsi_host or fc_host"
        }
        for (key, value) in map.sorted(by: { $0.key < $1.key }) {
            guard known.contains(key) else { return "has “\(name(key))”, which an adapter of type \(type) has not" }
            guard isValid(key, value) else { return "has “\(name(key))”, which is not of the form that it must have" }
        }
        if type == "fc_host" { return complaintOfFibreChannel(map, name) }
        if (map["name"] == nil) == (map["parent-address"] == nil) { return "needs either “name” or “\(name("parent-address"))”" }
        return (map["unique-id"] == nil) == (map["parent-address"] == nil)
            ? nil : "needs “\(name("unique-id"))” and “\(name("parent-address"))” together"
    }

    private static func complaintOfFibreChannel(_ map: [String: Value], _ name: (String) -> String) -> String? {
        if map["wwnn"] == nil || map["wwpn"] == nil { return "needs “wwnn” and “wwpn”" }
        if (map["parent-wwnn"] == nil) != (map["parent-wwpn"] == nil) {
            return "needs “\(name("parent-wwnn"))” and “\(name("parent-wwpn"))” together"
        }
        let parents = ["parent", "parent-wwnn", "parent-fabric-wwn"].filter { map[$0] != nil }
        return parents.count > 1 ? "may name its parent in one way only" : nil
    }

    private static func isValid(_ key: String, _ value: Value) -> Bool {
        switch (key, value) {
        case ("unique-id", .uint32), ("managed", .bool): true
        case ("parent-address", .string(let text)): PCIAddress(text) != nil
        case ("unique-id", _), ("managed", _): false
        case (_, .string(let text)) where ["wwnn", "wwpn", "-wwn"].contains(where: { key.hasSuffix($0) }):
            text.utf8.count == 16 && text.allSatisfy(\.isHexDigit)
        case (_, .string(let text)): !text.isBlank && text.isPlain
        default: false
        }
    }

    // MARK: - XML

    private static let shape: Shape = {
        var shape = Shape()
        for attribute in attributes { shape.allow("@" + attribute.name, .value) }
        shape.allow("parentaddr/@unique_id", .value)
        for part in PCIAddress.parts { shape.allow("parentaddr/address/@" + part, .value) }
        return shape
    }()

    /// What a key of the setting is called in XML.
    private static func nameInXML(_ key: String) -> String {
        ["parent-address": "parentaddr/address", "unique-id": "parentaddr/@unique_id"][key]
            ?? attributes.first { $0.key == key }?.name ?? key
    }

    /// Reads `<adapter>`. Without a type it is `scsi_host`, as libvirt has it.
    static func parse(_ element: Element, _ path: String) throws(StorageError) -> [String: Value] {
        let flat = try Flattened(element, shape, at: path)
        var map: [String: Value] = ["type": .string("scsi_host")]
        for (key, name) in attributes {
            guard let text = flat.text("@" + name)?.value.trimmed else { continue }
            let isNumber = name.contains("ww") && text.hasPrefix("0x")
            map[key] = .string(isNumber ? String(text.dropFirst(2)) : text)
        }
        if let managed = flat.text("@managed") {
            guard let flag = ["yes": true, "no": false][managed.value.trimmed] else {
                throw Flattened.invalid(managed.line, "source/adapter/@managed is “\(managed.value)”, but yes or no is needed")
            }
            map["managed"] = .bool(flag)
        }
        if let id = flat.text("parentaddr/@unique_id") {
            guard let number = PCIAddress.number(id.value, upTo: .max) else {
                throw Flattened.invalid(id.line, "source/adapter/parentaddr/@unique_id is “\(id.value)”, but a number is needed")
            }
            map["unique-id"] = .uint32(number)
        }
        let parts = PCIAddress.parts.map { flat.text("parentaddr/address/@" + $0) }
        if let first = parts.lazy.compactMap({ $0 }).first {
            guard let address = PCIAddress(parts: parts.map { $0?.value }) else {
                throw Flattened.invalid(first.line, "source/adapter/parentaddr/address is no PCI address: \(PCIAddress.limits)")
            }
            map["parent-address"] = .string(address.text)
        }
        if let complaint = complaint(map, nameInXML) { throw Flattened.invalid(element.line, "\(path) \(complaint)") }
        return map
    }

    /// `<adapter>` for a setting that has no complaint.
    static func element(_ map: [String: Value]) -> Element {
        var element = Element("adapter")
        for (key, name) in attributes {
            switch map[key] {
            case .string(let text): element.attributes.append(.init(name, text))
            case .bool(let flag): element.attributes.append(.init(name, flag ? "yes" : "no"))
            default: break
            }
        }
        guard case .string(let text) = map["parent-address"], let address = PCIAddress(text) else { return element }
        if case .uint32(let id) = map["unique-id"] { element.insert(String(id), at: "parentaddr/@unique_id") }
        element.insert(address.element, at: "parentaddr/address")
        return element
    }
}

/// Where a device is on the PCI bus, written `0000:00:1f.2` as in sysfs.
struct PCIAddress: Hashable {
    /// Domain, bus, slot and function.
    private let numbers: [UInt32]
    static let parts = ["domain", "bus", "slot", "function"]
    private static let largest: [UInt32] = [0xFFFF, 0xFF, 0x1F, 7]
    static let limits = "domain is up to 0xffff, bus 0xff, slot 0x1f, function 7"

    init?(_ text: String) {
        let fields = text.split(omittingEmptySubsequences: false) { $0 == ":" || $0 == "." }
        guard fields.count == 4, text.count == 12 else { return nil }
        self.init(parts: fields.map { "0x" + $0 })
        if self.text != text.lowercased() { return nil }
    }

    /// Numbers as XML has them, decimal or with 0x; the domain may be missing.
    init?(parts: [String?]) {
        var numbers: [UInt32] = []
        for (index, part) in parts.enumerated() {
            guard let number = Self.number(part ?? (index == 0 ? "0" : ""), upTo: Self.largest[index]) else { return nil }
            numbers.append(number)
        }
        self.numbers = numbers
    }

    static func number(_ text: String, upTo largest: UInt32) -> UInt32? {
        let text = text.trimmed
        let isHex = text.hasPrefix("0x")
        guard let number = UInt32(isHex ? String(text.dropFirst(2)) : text, radix: isHex ? 16 : 10), number <= largest else { return nil }
        return number
    }

    private func hex(_ index: Int, _ digits: Int) -> String {
        let text = String(numbers[index], radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    var text: String { "\(hex(0, 4)):\(hex(1, 2)):\(hex(2, 2)).\(hex(3, 1))" }

    /// `<address>` as libvirt prints it.
    var element: Element {
        let values = ["0x" + hex(0, 4), "0x" + hex(1, 2), "0x" + hex(2, 2), "0x" + hex(3, 1)]
        return Element("address", attributes: zip(Self.parts, values).map { .init($0, $1) })
    }
}
