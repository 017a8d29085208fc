// SPDX-License-Identifier: LGPL-2.1-or-later

/// Prints elements: two spaces of indentation, one element a line, the same text for the same element always.
public struct Writer: Sendable {
    /// Namespace to the prefix its elements and attributes get. Those that occur are declared at the root.
    public var prefixes: [String: String]

    /// Prints elements of other namespaces than `prefixes` has with a declaration of their own.
    public init(prefixes: [String: String] = [:]) { self.prefixes = prefixes }

    /// The element's text, with a newline at its end. Of an element that has children, the character data is left out.
    ///
    /// Characters that XML cannot hold, such as control characters, become U+FFFD.
    public func print(_ root: Element) -> String {
        var text = ""
        let declarations = namespaces(in: root).sorted().compactMap { namespace in
            prefixes[namespace].map { Element.Attribute("xmlns:\($0)", namespace) }
        }
        append(root, declarations, indentation: "", default: "", to: &text)
        return text
    }

    private func namespaces(in element: Element) -> Set<String> {
        var found = Set(element.attributes.map(\.namespace))
        found.insert(element.namespace)
        for child in element.children { found.formUnion(namespaces(in: child)) }
        return found
    }

    private func append(
        _ element: Element, _ declarations: [Element.Attribute], indentation: String, default outer: String, to text: inout String
    ) {
        var declarations = declarations
        var inner = outer
        var name = element.name
        if let prefix = prefixes[element.namespace] {
            name = "\(prefix):\(name)"
        } else if element.namespace != outer {
            declarations.append(Element.Attribute("xmlns", element.namespace))
            inner = element.namespace
        }
        text += "\(indentation)<\(name)"
        for attribute in declarations + element.attributes {
            let prefix = prefixes[attribute.namespace].map { "\($0):" } ?? ""
            text += " \(prefix)\(attribute.name)='\(Self.escape(attribute.value, inAttribute: true))'"
        }
        if !element.children.isEmpty {
            text += ">\n"
            for child in element.children { append(child, [], indentation: indentation + "  ", default: inner, to: &text) }
            text += "\(indentation)</\(name)>\n"
        } else if element.text.isEmpty {
            text += "/>\n"
        } else {
            text += ">\(Self.escape(element.text, inAttribute: false))</\(name)>\n"
        }
    }

    /// Text that, parsed, is `text` again.
    static func escape(_ text: String, inAttribute: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "'" where inAttribute: escaped += "&apos;"
            case "\t" where inAttribute, "\n" where inAttribute, "\r": escaped += "&#\(scalar.value);"
            case "\t", "\n": escaped.unicodeScalars.append(scalar)
            case "\u{0}"..."\u{1F}", "\u{FFFE}", "\u{FFFF}": escaped += "\u{FFFD}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
