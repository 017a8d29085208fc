// SPDX-License-Identifier: LGPL-2.1-or-later
import XML

/// What a new volume's XML says, with what only others can find out: a file by its path, a secret by its name.
public struct ParsedVolume: Sendable, Hashable {
    /// Names a secret that somebody keeps.
    public enum SecretName: Sendable, Hashable, CustomStringConvertible {
        case usage(String)
        case uuid(String)

        public var description: String {
            switch self {
            case .usage(let usage): "“\(usage)”"
            case .uuid(let uuid): uuid
            }
        }
    }

    /// The `capacity` is 0 if the XML has none: then that of the backing file is meant. It has no backing file and no passphrase yet.
    public var request: VolumeRequest
    /// Absolute path of what the volume is to be an overlay of.
    public var backingPath: String?
    /// How that is to be read: `raw` unless the XML says otherwise, never what its first bytes say.
    public var backingFormat = "raw"
    /// Whether the volume is to be encrypted.
    public var isEncrypted = false
    /// What it is to be opened with.
    public var secret: SecretName?
}

extension VolumeRequest {
    /// Reads libvirt's volume XML.
    ///
    /// libvirt's rule holds: a raw volume without `<allocation>` is allocated in full, a partial allocation reserves that much, and
    /// 0 is sparse; other formats stay sparse. What a volume tells of itself (`type`, `key`, `physical`, `source`, `target/path`,
    /// `timestamps`, labels) is accepted and not looked at. What is not modelled, or is there twice, is refused by name.
    /// - Throws: `invalidXML` that names line and element.
    public static func parse(xml: String) throws(StorageError) -> ParsedVolume {
        let root = try parseRoot(xml, "volume")
        let flat = try Flattened(root, shape)
        guard let name = flat.text("name") else { throw Flattened.invalid(root.line, "the element name is missing; add it") }
        do throws(StorageError) { try checkName(name.value, of: "volume") } catch {
            throw StorageError(.invalidXML, "The XML cannot be used, line \(name.line): \(error.message)")
        }
        var parsed = ParsedVolume(request: VolumeRequest(name: name.value, capacity: 0))
        try parsed.readBacking(flat)
        let capacity = try size("capacity", flat)
        if capacity == nil, parsed.backingPath == nil {
            throw Flattened.invalid(root.line, "the element capacity is missing; add it")
        }
        parsed.request.capacity = capacity ?? 0
        if let format = flat.text("target/format/@type") {
            parsed.request.format = format.value.trimmed
            if parsed.request.format.isEmpty {
                throw Flattened.invalid(format.line, "target/format/@type is empty; name a format, such as raw")
            }
        }
        try parsed.readEncryption(flat)
        try parsed.request.readLayout(flat)
        parsed.request.allocate(try size("allocation", flat))
        if let mode = flat.text("\(permissions)/mode") { parsed.request.mode = try Permissions.octal(mode, "\(permissions)/mode") }
        if let owner = flat.text("\(permissions)/owner") { parsed.request.owner = try Permissions.id(owner, "\(permissions)/owner") }
        if let group = flat.text("\(permissions)/group") { parsed.request.group = try Permissions.id(group, "\(permissions)/group") }
        return parsed
    }

    fileprivate static let permissions = "target/permissions"
    fileprivate static let encryption = "target/encryption"

    private static let shape: Shape = {
        var shape = Shape()
        let told = [
            "@type", "key", "physical", "source", "target/path", "target/timestamps", "\(permissions)/label", "backingStore/permissions",
            "backingStore/timestamps", "backingStore/capacity",
        ]
        for path in told { shape.allow(path, .ignored) }
        let asked =
            ["name", "target/format/@type", "target/compat", "target/nocow", "backingStore/path", "backingStore/format/@type"]
            + ["lazy_refcounts", "extended_l2"].map { "target/features/\($0)" }
            + ["mode", "owner", "group"].map { "\(permissions)/\($0)" }
            + ["@format", "secret/@uuid", "secret/@usage", "cipher/@name", "cipher/@size", "cipher/@mode", "cipher/@hash"]
            .map { "\(encryption)/\($0)" } + ["\(encryption)/ivgen/@name", "\(encryption)/ivgen/@hash"]
        for path in asked { shape.allow(path, .value) }
        for path in ["capacity", "allocation", "target/clusterSize"] {
            shape.allow(path, .value)
            shape.allow("\(path)/@unit", .value)
        }
        shape.allow("\(encryption)/@engine", .fixed(["qemu"]))
        shape.allow("\(encryption)/secret/@type", .fixed(["passphrase"]))
        return shape
    }()

    fileprivate static func size(_ path: String, _ flat: Flattened) throws(StorageError) -> UInt64? {
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

    private mutating func readLayout(_ flat: Flattened) throws(StorageError) {
        layout.compat = flat.text("target/compat")?.value.trimmed
        layout.clusterSize = try Self.size("target/clusterSize", flat)
        layout.lazyRefcounts = try Self.flag("target/features/lazy_refcounts", flat)
        layout.extendedL2 = try Self.flag("target/features/extended_l2", flat)
        noCopyOnWrite = try Self.flag("target/nocow", flat) ?? false
    }

    /// An element that says something by being there.
    private static func flag(_ path: String, _ flat: Flattened) throws(StorageError) -> Bool? {
        guard let text = flat.text(path) else { return nil }
        guard text.value.isBlank else { throw Flattened.invalid(text.line, "text in the element \(path), which holds none; remove it") }
        return true
    }
}

extension ParsedVolume {
    fileprivate mutating func readBacking(_ flat: Flattened) throws(StorageError) {
        guard let path = flat.text("backingStore/path") else {
            guard let format = flat.text("backingStore/format/@type") else { return }
            throw Flattened.invalid(format.line, "the element backingStore/path is missing; add it")
        }
        guard path.value.hasPrefix("/"), path.value.isPlain else {
            throw Flattened.invalid(path.line, "backingStore/path is “\(path.value)”, but an absolute path is needed")
        }
        backingPath = path.value
        if let format = flat.text("backingStore/format/@type") { backingFormat = format.value.trimmed }
    }

    /// A raw volume that is encrypted is what qemu calls one of format luks.
    fileprivate mutating func readEncryption(_ flat: Flattened) throws(StorageError) {
        let place = VolumeRequest.encryption
        let inside = ["secret/@uuid", "secret/@usage", "cipher/@name", "ivgen/@name"].compactMap { flat.text("\(place)/\($0)") }
        guard let format = flat.text("\(place)/@format") else {
            guard let first = inside.first else { return }
            throw Flattened.invalid(first.line, "the attribute \(place)/@format is missing; add format='luks'")
        }
        guard format.value == "luks" else {
            throw Flattened.invalid(
                format.line, "\(place)/@format is “\(format.value)”, but new volumes are encrypted with luks only; write format='luks'")
        }
        isEncrypted = true
        if request.format == "raw" { request.format = "luks" }
        switch (flat.text("\(place)/secret/@uuid"), flat.text("\(place)/secret/@usage")) {
        case (let uuid?, nil): secret = .uuid(try canonicalUUID(uuid, "\(place)/secret/@uuid"))
        case (nil, let usage?): secret = .usage(usage.value)
        case (let uuid?, _?): throw Flattened.invalid(uuid.line, "\(place)/secret has both uuid and usage; keep one")
        case (nil, nil): break
        }
        request.cipher = try cipher(flat)
    }

    private func cipher(_ flat: Flattened) throws(StorageError) -> Cipher? {
        var cipher = Cipher()
        func text(_ path: String) -> String? { flat.text("\(VolumeRequest.encryption)/\(path)")?.value.trimmed }
        if let name = flat.text("\(VolumeRequest.encryption)/cipher/@name") {
            guard let size = text("cipher/@size") else {
                throw Flattened.invalid(name.line, "\(VolumeRequest.encryption)/cipher needs the attribute size, in bits; add it")
            }
            cipher.algorithm = "\(name.value.trimmed)-\(size)"
        }
        cipher.mode = text("cipher/@mode")
        cipher.hash = text("cipher/@hash")
        cipher.vector = text("ivgen/@name")
        cipher.vectorHash = text("ivgen/@hash")
        return cipher == Cipher() ? nil : cipher
    }
}
