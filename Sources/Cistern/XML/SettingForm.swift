// SPDX-License-Identifier: LGPL-2.1-or-later
import XML

/// How a setting is written: its D-Bus type, what it may be, and its form in XML.
enum SettingForm: Sendable {
    /// Text as it is, not empty.
    case text
    /// An absolute path.
    case path
    /// One of these.
    case word([String])
    /// A version of a protocol: text without a comma, since it goes into a list of mount options.
    case version
    case uuid
    /// Permission bits in octal.
    case octal
    /// A user or group; -1 says nothing.
    case id
    /// yes or no.
    case flag
    /// One element for each text.
    case texts
    /// One element for each host.
    case hosts
    /// A SCSI adapter, see ``Adapter``.
    case adapter
    /// Names and values, one element for each.
    case options

    var signature: String {
        switch self {
        case .text, .path, .word, .version, .uuid: "s"
        case .octal, .id: "u"
        case .flag: "b"
        case .texts: "as"
        case .hosts: "a(sq)"
        case .adapter, .options: "a{sv}"
        }
    }

    /// What a document may have at the setting's path.
    var rule: Shape.Rule {
        switch self {
        case .texts: .values
        case .hosts, .adapter, .options: .elements
        default: .value
        }
    }

    /// What is wrong with a value of the right type, for a message; nil if it may be.
    func complaint(_ value: Value) -> String? {
        switch (self, value) {
        case (.text, .string(let text)): text.isBlank || !text.isPlain ? "must not be empty, nor have control characters" : nil
        case (.path, .string(let path)): path.hasPrefix("/") ? nil : "must be an absolute path, not “\(path)”"
        case (.word(let words), .string(let word)):
            words.contains(word) ? nil : "must be one of \(words.joined(separator: ", ")), not “\(word)”"
        case (.version, .string(let text)):
            text.isBlank || text.contains(",") ? "must be a version such as 4.2, not “\(text)”" : nil
        case (.uuid, .string(let text)): canonicalUUID(text) == text ? nil : "must be a UUID in lower case, not “\(text)”"
        case (.octal, .uint32(let bits)): bits <= 0o777 ? nil : "must be permission bits up to 0777"
        case (.id, .uint32(let id)): id < .max ? nil : "must be a user or group id"
        case (.texts, .strings(let texts)): texts.contains(where: \.isBlank) ? "must not have empty elements" : nil
        case (.hosts, .hosts(let hosts)): hosts.lazy.compactMap { Self.complaint(host: $0.name) }.first
        case (.adapter, .map(let map)): Adapter.complaint(map)
        case (.options, .map(let map)): map.lazy.compactMap { Self.complaint(option: $0, $1) }.first
        default: nil
        }
    }

    private static func complaint(host name: String) -> String? {
        let isName = !name.isEmpty && name.allSatisfy { !$0.isWhitespace && $0 != "/" && $0 != "," } && name.isPlain
        return isName ? nil : "must have names or addresses of hosts, and “\(name)” is neither"
    }

    private static func complaint(option name: String, _ value: Value) -> String? {
        guard case .string(let text) = value, !name.isBlank, name.isPlain, text.isPlain else {
            return "must have texts by name, and “\(name)” is none"
        }
        return nil
    }

    // MARK: - XML

    /// What the document says at the setting's path; nil if nothing.
    func read(_ path: String, _ flat: Flattened) throws(StorageError) -> Value? {
        switch self {
        case .texts:
            guard let texts = flat.values[path] else { return nil }
            if let empty = texts.first(where: \.value.isBlank) {
                throw Flattened.invalid(empty.line, "\(path) is empty; give it a value, or remove it")
            }
            return .strings(texts.map(\.value))
        case .hosts, .adapter, .options: return try read(path, flat.elements[path] ?? [])
        default: return try flat.text(path).flatMap { text throws(StorageError) in try read(path, text) }
        }
    }

    private func read(_ path: String, _ text: Flattened.Text) throws(StorageError) -> Value? {
        let word = text.value.trimmed
        let value: Value
        switch self {
        case .octal: return .uint32(try Permissions.octal(text, path))
        case .id: return try Permissions.id(text, path).map { .uint32($0) }
        case .flag:
            guard ["yes", "no"].contains(word) else { throw Self.refusal(path, text, "yes or no is needed") }
            return .bool(word == "yes")
        case .uuid: value = .string(try canonicalUUID(text, path))
        case .word, .version: value = .string(word)
        default: value = .string(text.value)
        }
        if let complaint = complaint(value) { throw Flattened.invalid(text.line, "\(path) \(complaint)") }
        return value
    }

    private static func refusal(_ path: String, _ text: Flattened.Text, _ needed: String) -> StorageError {
        Flattened.invalid(text.line, "\(path) is “\(text.value.trimmed)”, but \(needed)")
    }

    private func read(_ path: String, _ elements: [Element]) throws(StorageError) -> Value? {
        guard let first = elements.first else { return nil }
        let value: Value
        switch self {
        case .adapter:
            guard elements.count == 1 else { throw Flattened.invalid(elements[1].line, "the element \(path) is there twice; keep one") }
            return .map(try Adapter.parse(first, path))
        case .options: value = .map(try Self.options(elements, path))
        default: value = .hosts(try elements.map { element throws(StorageError) in try Self.host(element, path) })
        }
        if let complaint = complaint(value) { throw Flattened.invalid(first.line, "\(path) \(complaint)") }
        return value
    }

    private static func host(_ element: Element, _ path: String) throws(StorageError) -> Value.Host {
        var shape = Shape()
        for attribute in ["@name", "@port"] { shape.allow(attribute, .value) }
        let flat = try Flattened(element, shape, at: path)
        guard let name = flat.text("@name") else { throw Flattened.invalid(element.line, "\(path) has no attribute name; add it") }
        var port = flat.text("@port")?.value.trimmed ?? "0"
        if port == "-1" { port = "0" }  // libvirt takes it, too
        guard port.allSatisfy(\.isDecimal), let number = UInt16(port) else {
            throw Flattened.invalid(element.line, "\(path)/@port is “\(port)”, but a number up to 65535 is needed")
        }
        return Value.Host(name: name.value.trimmed, port: number)
    }

    private static func options(_ elements: [Element], _ path: String) throws(StorageError) -> [String: Value] {
        var options: [String: Value] = [:]
        for element in elements {
            var shape = Shape()
            for attribute in ["@name", "@value"] { shape.allow(attribute, .value) }
            let flat = try Flattened(element, shape, at: path)
            guard let name = flat.text("@name")?.value, let value = flat.text("@value")?.value else {
                throw Flattened.invalid(element.line, "\(path) needs the attributes name and value; add them")
            }
            guard options.updateValue(.string(value), forKey: name) == nil else {
                throw Flattened.invalid(element.line, "\(path) “\(name)” is there twice; keep one of them")
            }
        }
        return options
    }

    /// Adds the value to a pool's element.
    ///
    /// - Returns: false if XML has no way to say it here.
    func write(_ value: Value, at path: String, to pool: inout Element) -> Bool {
        guard complaint(value) == nil else { return false }
        switch (self, value) {
        case (.octal, .uint32(let bits)): pool.insert(Permissions.octal(bits), at: path)
        case (.id, .uint32(let id)): pool.insert(String(id), at: path)
        case (.flag, .bool(let flag)): pool.insert(flag ? "yes" : "no", at: path)
        case (.texts, .strings(let texts)):
            guard !texts.isEmpty, texts.allSatisfy(\.isPlain) else { return false }
            for text in texts { pool.insert(text, at: path) }
        case (.hosts, .hosts(let hosts)):
            guard !hosts.isEmpty else { return false }
            for host in hosts {
                let port = host.port == 0 ? [] : [Element.Attribute("port", String(host.port))]
                pool.insert(Element("host", attributes: [.init("name", host.name)] + port), at: path)
            }
        case (.adapter, .map(let map)): pool.insert(Adapter.element(map), at: path)
        case (.options, .map(let map)):
            guard !map.isEmpty else { return false }
            for case (let name, .string(let text)) in map.sorted(by: { $0.key < $1.key }) {
                var option = Element("option", namespace: Namespaces.split("rbd:option").namespace)
                option.attributes = [.init("name", name), .init("value", text)]
                pool.insert(option, at: path)
            }
        case (_, .string(let text)) where signature == "s":
            guard text.isPlain else { return false }
            pool.insert(text, at: path)
        default: return false
        }
        return true
    }
}
