// SPDX-License-Identifier: LGPL-2.1-or-later
import XML

/// What a document may contain: paths of elements (`target/path`) and attributes (`capacity/@unit`), below its root.
struct Shape {
    enum Rule: Hashable {
        /// Its text, or the attribute's value, is taken.
        case value
        /// The whole element is taken; it may occur any number of times.
        case elements
        /// Any number of times; each value is taken.
        case values
        /// Says again what is clear already: has one of these values.
        case fixed(Set<String>)
        /// Accepted with everything in it, and not looked at: the document's author states what only we can know.
        case ignored
    }

    private(set) var rules: [String: Rule] = [:]
    /// Elements that only hold others.
    private(set) var containers: Set<String> = []

    /// Allows a path, and elements around it.
    mutating func allow(_ path: String, _ rule: Rule) {
        rules[path] = rule
        var parents = path.split(separator: "/")
        parents.removeLast()
        while !parents.isEmpty {
            containers.insert(parents.joined(separator: "/"))
            parents.removeLast()
        }
    }

    /// Allows an element that may be empty.
    mutating func allowContainer(_ path: String) { containers.insert(path) }
}

/// A document taken apart, strictly: what its shape does not allow is refused by name, and so is what comes twice.
struct Flattened {
    struct Text: Hashable {
        let value: String
        let line: Int
    }

    private(set) var values: [String: [Text]] = [:]
    private(set) var elements: [String: [Element]] = [:]
    private let shape: Shape
    /// Where the root is in its document, for messages: `source/host/`.
    private let place: String
    private var seen: Set<String> = []

    /// - Parameter place: path of `root` in its document; nothing for the document's own.
    /// - Throws: `invalidXML`.
    init(_ root: Element, _ shape: Shape, at place: String? = nil) throws(StorageError) {
        self.shape = shape
        self.place = place.map { $0 + "/" } ?? ""
        try take(root, at: "")
    }

    /// The one value at a path.
    func text(_ path: String) -> Text? { values[path]?.first }

    private mutating func take(_ element: Element, at path: String) throws(StorageError) {
        let prefix = path.isEmpty ? "" : path + "/"
        for attribute in element.attributes {
            let place = prefix + "@" + Namespaces.label(attribute.name, attribute.namespace)
            try take(attribute.value, at: place, element.line)
        }
        guard path.isEmpty || shape.containers.contains(path) else {
            if let child = element.children.first {
                throw unknown("element", prefix + Namespaces.label(child.name, child.namespace), child.line)
            }
            return try keep(Text(value: element.text, line: element.line), at: path)
        }
        if shape.rules[path] == .value {
            try keep(Text(value: element.text, line: element.line), at: path)
        } else if !element.text.isBlank {
            throw Self.invalid(element.line, "text in the element \(element.name), which holds none; remove it")
        }
        for child in element.children { try takeChild(child, at: prefix + Namespaces.label(child.name, child.namespace)) }
    }

    private mutating func take(_ value: String, at attribute: String, _ line: Int) throws(StorageError) {
        switch shape.rules[attribute] {
        case nil: throw unknown("attribute", attribute, line)
        case .ignored: break
        case .fixed(let expected) where !expected.contains(value):
            throw Self.invalid(line, "\(place)\(attribute) is “\(value)”, but \(expected.sorted().joined(separator: " or ")) is needed")
        default: try keep(Text(value: value, line: line), at: attribute)
        }
    }

    private mutating func takeChild(_ child: Element, at path: String) throws(StorageError) {
        switch shape.rules[path] {
        case .elements: elements[path, default: []].append(child)
        case .values: try take(child, at: path)
        case .ignored, .fixed: break
        case .value:
            try see("<\(path)>", "element", child.line)
            try take(child, at: path)
        case nil:
            guard shape.containers.contains(path) else { throw unknown("element", path, child.line) }
            if !holdsList(path) { try see("<\(path)>", "element", child.line) }
            try take(child, at: path)
        }
    }

    /// Whether the element is repeated for the sake of an attribute that is a list.
    private func holdsList(_ path: String) -> Bool {
        shape.rules.contains { $0.value == .values && $0.key.hasPrefix(path + "/@") }
    }

    private mutating func keep(_ text: Text, at path: String) throws(StorageError) {
        if shape.rules[path] != .values { try see(path, "value", text.line) }
        values[path, default: []].append(text)
    }

    private mutating func see(_ path: String, _ noun: String, _ line: Int) throws(StorageError) {
        guard seen.insert(path).inserted else {
            throw Self.invalid(line, "the \(noun) \(place)\(path.filter { $0 != "<" && $0 != ">" }) is there twice; keep one of them")
        }
    }

    private func unknown(_ noun: String, _ path: String, _ line: Int) -> StorageError {
        Self.invalid(line, "the \(noun) \(place)\(path) is not supported here; remove it")
    }

    static func invalid(_ line: Int, _ problem: String) -> StorageError {
        StorageError(.invalidXML, "The XML cannot be used, line \(line): \(problem).")
    }
}

/// Parses a document whose root must be `name`.
func parseRoot(_ xml: String, _ name: String) throws(StorageError) -> Element {
    let root: Element
    do throws(XMLError) { root = try Document.parse(xml) } catch {
        throw StorageError(.invalidXML, "The XML cannot be read: \(error).")
    }
    guard root.name == name, root.namespace.isEmpty else {
        let found = Namespaces.label(root.name, root.namespace)
        throw Flattened.invalid(root.line, "the root is \(found), but \(name) is needed")
    }
    return root
}

extension String {
    /// Nothing but white space.
    var isBlank: Bool { allSatisfy(\.isWhitespace) }

    /// Without white space at both ends, as numbers and words are read.
    var trimmed: String {
        var rest = self[...]
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}
