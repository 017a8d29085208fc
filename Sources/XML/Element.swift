// SPDX-License-Identifier: LGPL-2.1-or-later

/// An element of a document: a value, whole in itself.
public struct Element: Sendable, Hashable {
    /// The name without its prefix.
    public var name: String
    /// The namespace's URI; empty for none.
    public var namespace: String
    /// In document order; namespace declarations are not among them.
    public var attributes: [Attribute]
    /// In document order.
    public var children: [Element]
    /// The character data directly in this element, pieces joined, as written.
    public var text: String
    /// The line of the start tag, from 1; 0 for an element that was not parsed.
    public var line: Int

    /// One attribute.
    public struct Attribute: Sendable, Hashable {
        /// The name without its prefix.
        public var name: String
        /// The namespace's URI; empty for none, which is usual.
        public var namespace: String
        public var value: String

        /// An attribute, usually of no namespace.
        public init(_ name: String, _ value: String, namespace: String = "") {
            self.name = name
            self.namespace = namespace
            self.value = value
        }
    }

    /// An element that was not parsed.
    public init(
        _ name: String, namespace: String = "", attributes: [Attribute] = [], text: String = "", children: [Element] = [], line: Int = 0
    ) {
        self.name = name
        self.namespace = namespace
        self.attributes = attributes
        self.children = children
        self.text = text
        self.line = line
    }

    /// The value of the attribute that has this name and no namespace.
    public func attribute(_ name: String) -> String? {
        attributes.first { $0.name == name && $0.namespace.isEmpty }?.value
    }

    /// The first child of this name and namespace.
    public func child(_ name: String, namespace: String = "") -> Element? {
        children.first { $0.name == name && $0.namespace == namespace }
    }
}
