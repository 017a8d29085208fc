// SPDX-License-Identifier: LGPL-2.1-or-later
import XML

/// The namespaces that pool and volume XML may use beside the empty one, by the prefixes that paths and printed texts have for them.
enum Namespaces {
    /// `cistern` is for what libvirt has no word for; `fs` and `rbd` are libvirt's, see its page "Storage pool and volume XML format".
    static let byPrefix = [
        "cistern": "urn:cistern:1",
        "fs": "http://libvirt.org/schemas/storagepool/fs/1.0",
        "rbd": "http://libvirt.org/schemas/storagepool/rbd/1.0",
    ]

    static let writer = Writer(prefixes: Dictionary(uniqueKeysWithValues: byPrefix.map { ($1, $0) }))

    /// How a name of a namespace is called in paths and messages.
    static func label(_ name: String, _ namespace: String) -> String {
        if namespace.isEmpty { return name }
        if let prefix = writer.prefixes[namespace] { return "\(prefix):\(name)" }
        return "{\(namespace)}\(name)"
    }

    /// The other way round.
    static func split(_ label: Substring) -> (name: String, namespace: String) {
        guard let colon = label.firstIndex(of: ":"), let namespace = byPrefix[String(label[..<colon])] else { return (String(label), "") }
        return (String(label[label.index(after: colon)...]), namespace)
    }
}

/// The namespace of everything that libvirt has no word for.
let cisternNamespace = "urn:cistern:1"

extension Element {
    /// A size, if it is known.
    static func bytes(_ name: String, _ size: UInt64) -> Element? {
        size == unknownSize ? nil : Element(name, attributes: [.init("unit", "bytes")], text: String(size))
    }

    /// Adds a text or attribute below this element. Elements on the way are used again, if they come last.
    mutating func insert(_ text: String, at path: String) {
        let (step, rest) = Self.split(path)
        if step.hasPrefix("@") { return attributes.append(Attribute(String(step.dropFirst()), text)) }
        let (name, namespace) = Namespaces.split(step)
        if rest.isEmpty { return children.append(Element(name, namespace: namespace, text: text)) }
        let isTaken = rest.hasPrefix("@") && children.last?.attribute(String(rest.dropFirst())) != nil
        open(name, namespace, anew: isTaken) { $0.insert(text, at: String(rest)) }
    }

    /// Adds an element whose own place the path is.
    mutating func insert(_ element: Element, at path: String) {
        let (step, rest) = Self.split(path)
        if rest.isEmpty { return children.append(element) }
        let (name, namespace) = Namespaces.split(step)
        open(name, namespace, anew: false) { $0.insert(element, at: String(rest)) }
    }

    private static func split(_ path: String) -> (step: Substring, rest: Substring) {
        path.firstIndex(of: "/").map { (path[..<$0], path[path.index(after: $0)...]) } ?? (path[...], "")
    }

    /// Does something with the last child, which is made if it is not the one that is meant.
    private mutating func open(_ name: String, _ namespace: String, anew: Bool, _ body: (inout Element) -> Void) {
        if anew || children.last?.name != name || children.last?.namespace != namespace {
            children.append(Element(name, namespace: namespace))
        }
        body(&children[children.count - 1])
    }
}
