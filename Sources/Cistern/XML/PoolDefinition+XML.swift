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
    /// What a pool tells of itself (sizes, free extents, the label, where a volume group appears) is accepted and not looked at, as
    /// libvirt does. What is not modelled, or is there twice, is refused by name.
    /// - Throws: `invalidXML` that names line and element.
    public static func parse(xml: String) throws(StorageError) -> ParsedPool {
        let root = try parseRoot(xml, "pool")
        guard let type = root.attribute("type"), !type.isBlank else {
            throw Flattened.invalid(root.line, "the pool has no attribute type; add one, such as type='dir'")
        }
        if PoolModel.libvirtsOnly.contains(type) {
            throw Flattened.invalid(root.line, "pools of type \(type) are libvirt's alone; choose another type")
        }
        let flat = try Flattened(root, shape(of: type))
        var definition = PoolDefinition(name: try name(type, root, flat), uuid: "", type: type, settings: [:])
        if let uuid = flat.text("uuid") { definition.uuid = try canonicalUUID(uuid, "uuid") }
        for row in Setting.rows(of: type) {
            if let value = try row.form.read(row.path, flat) { definition.settings[row.key] = value }
        }
        for element in flat.elements["cistern:setting"] ?? [] { try definition.add(element) }
        return ParsedPool(definition: definition)
    }

    /// The pool's name; that of the source, where pool and source share it.
    private static func name(_ type: String, _ root: Element, _ flat: Flattened) throws(StorageError) -> String {
        let shared = PoolModel.all[type]?.isNamedLikeSource == true ? flat.text("source/name") : nil
        guard let name = flat.text("name") ?? shared else { throw Flattened.invalid(root.line, "the element name is missing; add it") }
        do throws(StorageError) { try checkName(name.value, of: "pool") } catch {
            throw StorageError(.invalidXML, "The XML cannot be used, line \(name.line): \(error.message)")
        }
        return name.value
    }

    /// The definition as it is kept: everything, and nothing that changes by itself.
    public func xml() -> String { Namespaces.writer.print(element(compatible: false)) }

    private mutating func add(_ setting: Element) throws(StorageError) {
        let (key, value) = try Value.parse(setting)
        if key.isEmpty { throw Flattened.invalid(setting.line, "the setting has no attribute name; add one") }
        if settings.updateValue(value, forKey: key) != nil {
            throw Flattened.invalid(setting.line, "the setting \(key) is there twice; keep one of them")
        }
    }

    private static func shape(of type: String) -> Shape {
        var shape = Shape()
        for path in ["@type", "name", "uuid"] { shape.allow(path, .value) }
        for path in ["capacity", "allocation", "available", "target/permissions/label"] { shape.allow(path, .ignored) }
        shape.allow("cistern:setting", .elements)
        for path in ["source", "features"] { shape.allowContainer(path) }  // libvirt prints or takes empty ones
        for row in Setting.rows(of: type) {
            shape.allow(row.path, row.form.rule)
            if let companion = row.companion { shape.allow(companion.path, .fixed([companion.value])) }
        }
        if PoolModel.all[type]?.targetPrefix != nil { shape.allow("target/path", .ignored) }
        if type == "disk" { shape.allow("source/device/freeExtent", .ignored) }
        return shape
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
        for row in Setting.rows(of: type) {
            if row.path.hasPrefix("target/") { insertTarget(into: &pool) }
            guard let value = rest[row.key], !(compatible && isOursAlone(row, value)) else { continue }
            if let companion = row.companion { pool.insert(companion.value, at: companion.path) }
            if row.form.write(value, at: row.path, to: &pool) { rest[row.key] = nil }
        }
        if !compatible {
            pool.children += rest.sorted { $0.key < $1.key }.map { $1.element("setting", name: $0) }
        }
        return pool
    }

    /// Where a volume group and its like appear, which their names say.
    private func insertTarget(into pool: inout Element) {
        guard let prefix = PoolModel.all[type]?.targetPrefix, pool.child("target") == nil else { return }
        pool.insert(prefix + (string("source.name") ?? name), at: "target/path")
    }

    private func isOursAlone(_ row: Setting, _ value: Value) -> Bool {
        if row.isOursAlone { return true }
        guard row.key == "source.format", case .string(let format) = value else { return false }
        return PoolModel.oursAlone.contains(format)
    }
}

extension PoolSnapshot {
    /// The pool's XML as clients see it: the definition, and the sizes that are known.
    ///
    /// - Parameter compatible: only what libvirt knows.
    /// - Throws: `notSupported` if libvirt does not know the type at all.
    public func xml(compatible: Bool) throws(StorageError) -> String {
        if compatible, PoolModel.all[definition.type]?.isLibvirts == false {
            throw StorageError(
                .notSupported, "libvirt has no pools of type \(definition.type), so pool \(definition.name) has no XML of libvirt's.")
        }
        return Namespaces.writer.print(definition.element(space: space, compatible: compatible))
    }
}
