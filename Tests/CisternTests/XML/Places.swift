// SPDX-License-Identifier: LGPL-2.1-or-later
import XML

/// A document as the values at its places: `source/host/@name`.
struct Places {
    static let namespaces = [
        "fs": "http://libvirt.org/schemas/storagepool/fs/1.0", "rbd": "http://libvirt.org/schemas/storagepool/rbd/1.0",
        "cistern": "urn:cistern:1",
    ]
    static let writer = Writer(prefixes: Dictionary(uniqueKeysWithValues: namespaces.map { ($1, $0) }))

    private var values: [String: Set<String>] = [:]

    init(in root: Element) { take(root, "") }

    var paths: [String] { values.keys.sorted() }

    func contains(_ path: String, _ value: String) -> Bool { values[path]?.contains(value) == true }

    private mutating func take(_ element: Element, _ prefix: String) {
        for attribute in element.attributes { values[prefix + "@" + attribute.name, default: []].insert(attribute.value) }
        for child in element.children {
            let label = Self.writer.prefixes[child.namespace].map { "\($0):\(child.name)" } ?? child.name
            if child.children.isEmpty, child.attributes.isEmpty || !child.text.isEmpty {
                values[prefix + label, default: []].insert(child.text)
            }
            take(child, prefix + label + "/")
        }
    }
}

extension Element {
    /// Adds a text or an attribute at a place, in the elements that are there already.
    mutating func put(_ value: String, at path: String) {
        guard let slash = path.firstIndex(of: "/") else {
            if path.hasPrefix("@") { return attributes.append(.init(String(path.dropFirst()), value)) }
            return inside(path) { $0.text = value }
        }
        inside(String(path[..<slash])) { $0.put(value, at: String(path[path.index(after: slash)...])) }
    }

    private mutating func inside(_ label: String, _ body: (inout Element) -> Void) {
        let parts = label.split(separator: ":").map(String.init)
        let namespace = parts.count == 2 ? Places.namespaces[parts[0]] ?? "" : ""
        let name = parts.last ?? label
        if let index = children.firstIndex(where: { $0.name == name && $0.namespace == namespace }) { return body(&children[index]) }
        var child = Element(name, namespace: namespace)
        body(&child)
        children.append(child)
    }
}
