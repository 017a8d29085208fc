// SPDX-License-Identifier: LGPL-2.1-or-later
import XML

extension VolumeRequest {
    /// Reads libvirt's volume XML.
    ///
    /// libvirt's rule holds: a raw volume without `<allocation>` is allocated in full, a partial allocation reserves that much, and
    /// 0 is sparse; other formats stay sparse. What a volume tells of itself (`type`, `key`, `physical`, `target/path`,
    /// `target/timestamps`) is accepted and not looked at. What is not modelled, or is there twice, is refused by name.
    /// - Throws: `invalidXML` that names line and element.
    public static func parse(xml: String) throws(StorageError) -> VolumeRequest {
        let root = try parseRoot(xml, "volume")
        let flat = try Flattened(root, shape)
        guard let name = flat.text("name") else { throw Flattened.invalid(root.line, "the element name is missing; add it") }
        do throws(StorageError) { try checkName(name.value, of: "volume") } catch {
            throw StorageError(.invalidXML, "The XML cannot be used, line \(name.line): \(error.message)")
        }
        guard let capacity = try size("capacity", flat) else {
            throw Flattened.invalid(root.line, "the element capacity is missing; add it")
        }
        var request = VolumeRequest(name: name.value, capacity: capacity)
        if let format = flat.text("target/format/@type") {
            request.format = format.value.trimmed
            if request.format.isEmpty { throw Flattened.invalid(format.line, "target/format/@type is empty; name a format, such as raw") }
        }
        request.allocate(try size("allocation", flat))
        if let mode = flat.text("\(permissions)/mode") { request.mode = try Permissions.octal(mode, "\(permissions)/mode") }
        if let owner = flat.text("\(permissions)/owner") { request.owner = try Permissions.id(owner, "\(permissions)/owner") }
        if let group = flat.text("\(permissions)/group") { request.group = try Permissions.id(group, "\(permissions)/group") }
        return request
    }

    private static let permissions = "target/permissions"

    private static let shape: Shape = {
        var shape = Shape()
        for path in ["@type", "key", "physical", "target/path", "target/timestamps"] { shape.allow(path, .ignored) }
        for path in ["name", "capacity", "capacity/@unit", "allocation", "allocation/@unit", "target/format/@type"] {
            shape.allow(path, .value)
        }
        for name in ["mode", "owner", "group"] { shape.allow("\(permissions)/\(name)", .value) }
        return shape
    }()

    private static func size(_ path: String, _ flat: Flattened) throws(StorageError) -> UInt64? {
        guard let number = flat.text(path) else { return nil }
        return try ScaledSize.parse(number, unit: flat.text("\(path)/@unit"), path)
    }

    /// libvirt's meaning of `<allocation>`.
    private mutating func allocate(_ bytes: UInt64?) {
        let bytes = bytes ?? capacity
        if format != "raw" || bytes == 0 {
            allocation = .sparse
        } else if bytes >= capacity {
            allocation = .falloc
        } else {
            allocation = .sparse
            reserve = bytes
        }
    }
}
