// SPDX-License-Identifier: LGPL-2.1-or-later
import XML

/// What a pool's XML says.
public struct ParsedPool: Sendable, Hashable {
    /// The `uuid` is empty if the XML has none: then the caller makes one.
    public var definition: PoolDefinition
}

extension PoolDefinition {
    /// Reads libvirt's pool XML with our settings of the namespace `urn:cistern:1`.
    ///
    /// Sizes are accepted and not looked at, as libvirt does. What is not modelled, or is there twice, is refused by name.
    /// - Throws: `invalidXML` that names line and element.
    public static func parse(xml: String) throws(StorageError) -> ParsedPool {
        let root = try parseRoot(xml, "pool")
        guard let type = root.attribute("type"), !type.isBlank else {
            throw Flattened.invalid(root.line, "the pool has no attribute type; add one, such as type='dir'")
        }
        let rows = SettingRow.rows(of: type)
        let flat = try Flattened(root, shape(rows))
        guard let name = flat.text("name") else { throw Flattened.invalid(root.line, "the element name is missing; add it") }
        do throws(StorageError) { try checkName(name.value, of: "pool") } catch {
            throw StorageError(.invalidXML, "The XML cannot be used, line \(name.line): \(error.message)")
        }
        var definition = PoolDefinition(name: name.value, uuid: "", type: type, settings: [:])
        if let uuid = flat.text("uuid") { definition.uuid = try canonicalUUID(uuid) }
        for row in rows {
            if let value = try row.value(flat.values[row.path] ?? []) { definition.settings[row.key] = value }
        }
        for element in flat.elements { try definition.add(element) }
        return ParsedPool(definition: definition)
    }

    /// The definition as it is kept: everything, and nothing that changes by itself.
    public func xml() -> String { cisternWriter.print(element(compatible: false)) }

    private mutating func add(_ setting: Element) throws(StorageError) {
        let (key, value) = try Value.parse(setting)
        if key.isEmpty { throw Flattened.invalid(setting.line, "the setting has no attribute name; add one") }
        if settings.updateValue(value, forKey: key) != nil {
            throw Flattened.invalid(setting.line, "the setting \(key) is there twice; keep one of them")
        }
    }

    private static func shape(_ rows: [SettingRow]) -> Shape {
        var shape = Shape()
        for path in ["@type", "name", "uuid"] { shape.allow(path, .value) }
        for path in ["capacity", "allocation", "available", "target/permissions/label"] { shape.allow(path, .ignored) }
        shape.allow("cistern:setting", .elements)
        shape.allowContainer("source")  // libvirt prints an empty one
        for row in rows { shape.allow(row.path, row.form == .texts ? .values : .value) }
        return shape
    }

    private static func canonicalUUID(_ text: Flattened.Text) throws(StorageError) -> String {
        let written = text.value.trimmed
        let digits = written.utf8.filter { $0 != UInt8(ascii: "-") }
        let isHex = digits.allSatisfy { UInt8(String(decoding: [$0], as: UTF8.self), radix: 16) != nil }
        guard digits.count == 32, isHex else {
            throw Flattened.invalid(text.line, "“\(written)” is no UUID; give one of 32 hexadecimal digits, or none")
        }
        var uuid = ""
        for (index, digit) in String(decoding: digits, as: UTF8.self).lowercased().enumerated() {
            if [8, 12, 16, 20].contains(index) { uuid += "-" }
            uuid.append(digit)
        }
        return uuid
    }

    /// - Parameter compatible: only what libvirt knows.
    fileprivate func element(space: Space? = nil, compatible: Bool) -> Element {
        var pool = Element("pool", attributes: [.init("type", type)], children: [Element("name", text: name)])
        if !uuid.isEmpty { pool.children.append(Element("uuid", text: uuid)) }
        if let space {
            pool.children += [
                .bytes("capacity", space.capacity), .bytes("allocation", space.allocation), .bytes("available", space.available),
            ].compactMap { $0 }
        }
        var rest = settings
        for row in SettingRow.rows(of: type) {
            guard let value = rest[row.key], let texts = row.texts(value) else { continue }
            rest[row.key] = nil
            for text in texts where !(compatible && row.path.hasPrefix("cistern:")) { pool.insert(text, at: row.path) }
        }
        if !compatible {
            pool.children += rest.sorted { $0.key < $1.key }.map { $1.element("setting", name: $0) }
        }
        return pool
    }
}

extension PoolSnapshot {
    /// The pool's XML as clients see it: the definition, and the sizes that are known.
    ///
    /// - Parameter compatible: only what libvirt knows.
    public func xml(compatible: Bool) -> String {
        cisternWriter.print(definition.element(space: space, compatible: compatible))
    }
}

extension Element {
    /// A size, if it is known.
    static func bytes(_ name: String, _ size: UInt64) -> Element? {
        size == unknownSize ? nil : Element(name, attributes: [.init("unit", "bytes")], text: String(size))
    }

    /// Adds a text or attribute below this element. Elements on the way are used again, if they come last.
    mutating func insert(_ text: String, at path: String) {
        let (step, rest) = path.firstIndex(of: "/").map { (path[..<$0], path[path.index(after: $0)...]) } ?? (path[...], "")
        if step.hasPrefix("@") { return attributes.append(Attribute(String(step.dropFirst()), text)) }
        let isOurs = step.hasPrefix("cistern:")
        let name = String(isOurs ? step.dropFirst("cistern:".count) : step)
        let namespace = isOurs ? cisternNamespace : ""
        if rest.isEmpty { return children.append(Element(name, namespace: namespace, text: text)) }
        let isNew =
            children.last?.name != name || children.last?.namespace != namespace
            || (rest.hasPrefix("@") && children.last?.attribute(String(rest.dropFirst())) != nil)
        if isNew { children.append(Element(name, namespace: namespace)) }
        children[children.count - 1].insert(text, at: String(rest))
    }
}
