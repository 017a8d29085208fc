// SPDX-License-Identifier: LGPL-2.1-or-later
import XML

/// Settings that no row of ``Setting`` has a place for: `<cistern:setting name='…' type='u'>7</cistern:setting>`.
extension Value {
    /// The value as an element that names it.
    func element(_ tag: String, name: String) -> Element {
        var isEncoded = !name.isPlain
        if case .string(let string) = self, !string.isPlain { isEncoded = true }
        func text(_ text: String) -> String { isEncoded ? Self.percent(text) : text }
        var element = Element(tag, namespace: cisternNamespace, attributes: [.init("name", text(name)), .init("type", signature)])
        switch self {
        case .bool(let flag): element.text = String(flag)
        case .uint32(let number): element.text = String(number)
        case .uint64(let number): element.text = String(number)
        case .double(let number): element.text = String(number)
        case .string(let string): element.text = text(string)
        case .strings(let strings):
            element.children = strings.map { Value.string($0).element("item", name: "") }
        case .hosts(let hosts):
            element.children = hosts.map { Value.uint32(UInt32($0.port)).element("host", name: $0.name) }
        case .map(let map):
            element.children = map.sorted { $0.key < $1.key }.map { $1.element("item", name: $0) }
        }
        if isEncoded { element.attributes.append(.init("encoding", "percent")) }
        return element
    }

    /// Reads what ``element(_:name:)`` made.
    static func parse(_ element: Element) throws(StorageError) -> (name: String, value: Value) {
        func invalid(_ problem: String) -> StorageError { Flattened.invalid(element.line, problem) }
        for attribute in element.attributes where !["name", "type", "encoding"].contains(attribute.name) || !attribute.namespace.isEmpty {
            throw invalid("the attribute \(attribute.name) of \(element.name) is not supported here; remove it")
        }
        let encoding = element.attribute("encoding")
        guard encoding == nil || encoding == "percent" else { throw invalid("the encoding of \(element.name) must be percent") }
        guard let name = decode(element.attribute("name") ?? "", encoding), let text = decode(element.text, encoding) else {
            throw invalid("the percent encoding of \(element.name) is broken")
        }
        let type = element.attribute("type") ?? "s"
        guard element.children.isEmpty || ["as", "a(sq)", "a{sv}"].contains(type) else {
            throw invalid("a value of type \(type) holds no elements; remove them")
        }
        if let value = scalar(text, type) { return (name, value) }
        if let value = try collection(element, type) { return (name, value) }
        throw invalid("“\(text.trimmed)” is no value of type \(type)")
    }

    private static func scalar(_ text: String, _ type: String) -> Value? {
        switch type {
        case "b": ["true": Value.bool(true), "false": .bool(false)][text.trimmed]
        case "u": UInt32(text.trimmed).map { .uint32($0) }
        case "t": UInt64(text.trimmed).map { .uint64($0) }
        case "d": Double(text.trimmed).map { .double($0) }
        case "s": .string(text)
        default: nil
        }
    }

    private static func collection(_ element: Element, _ type: String) throws(StorageError) -> Value? {
        var strings: [String] = []
        var hosts: [Host] = []
        var map: [String: Value] = [:]
        for child in element.children {
            let (name, value) = try parse(child)
            switch (type, value) {
            case ("as", .string(let string)): strings.append(string)
            case ("a(sq)", .uint32(let port)) where port <= UInt16.max: hosts.append(Host(name: name, port: UInt16(port)))
            case ("a{sv}", _) where map[name] == nil: map[name] = value
            default: throw Flattened.invalid(child.line, "\(child.name) does not fit into a value of type \(type)")
            }
        }
        switch type {
        case "as": return .strings(strings)
        case "a(sq)": return .hosts(hosts)
        case "a{sv}": return .map(map)
        default: return nil
        }
    }

    // MARK: Characters that XML cannot hold

    private static func percent(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            if byte < 0x20 || byte >= 0x7F || byte == UInt8(ascii: "%") {
                encoded += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            } else {
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            }
        }
        return encoded
    }

    private static func decode(_ text: String, _ encoding: String?) -> String? {
        guard encoding != nil else { return text }
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let decoded = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
            bytes.append(decoded)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
