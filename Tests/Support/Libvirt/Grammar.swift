// SPDX-License-Identifier: LGPL-2.1-or-later
import Foundation
public import XML

/// A RELAX NG grammar and everything it includes.
///
/// A pattern is the element that the grammar writes it as; a definition is the pattern `group`, or what its `combine` says.
public struct Grammar: Sendable {
    /// The patterns by name; that of `start` is among them.
    public private(set) var definitions: [String: Element] = [:]

    /// Something that the grammar has and this reader does not know.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// Reads a grammar from a file.
    public init(contentsOfFile path: String) throws { try include(path, except: []) }

    /// The pattern of a definition.
    public func definition(_ name: String) throws -> Element {
        guard let pattern = definitions[name] else { throw Failure(description: "the grammar does not define \(name)") }
        return pattern
    }

    private mutating func include(_ path: String, except overridden: Set<String>) throws {
        let root = try Document.parse(String(contentsOfFile: path, encoding: .utf8))
        for part in root.children { try add(part, of: path, except: overridden) }
    }

    private mutating func add(_ part: Element, of path: String, except overridden: Set<String>) throws {
        let name = part.name == "start" ? part.name : part.attribute("name") ?? ""
        switch part.name {
        case "start", "define": if !overridden.contains(name) { define(name, part) }
        case "include":
            let own = part.children.map { $0.attribute("name") ?? $0.name }
            let folder = path[...(path.lastIndex(of: "/") ?? path.startIndex)]
            try include(folder + (part.attribute("href") ?? ""), except: overridden.union(own))
            for child in part.children { try add(child, of: path, except: overridden) }
        default: throw Failure(description: "\(path):\(part.line): \(part.name) is not known here")
        }
    }

    private mutating func define(_ name: String, _ part: Element) {
        let pattern = Element("group", children: part.children.map { Self.settled($0, namespace: "") })
        guard var known = definitions[name] else { return definitions[name] = pattern }
        let combine = part.attribute("combine") ?? "choice"
        if known.name != combine { known = Element(combine, children: [known]) }
        known.children.append(pattern)
        definitions[name] = known
    }

    /// The pattern with its namespace written at each element, where the grammar has it at one further out.
    private static func settled(_ pattern: Element, namespace: String) -> Element {
        var pattern = pattern
        let inner = pattern.attribute("ns") ?? namespace
        pattern.attributes.removeAll { $0.name == "ns" }
        if pattern.name == "element" { pattern.attributes.append(.init("ns", inner)) }
        pattern.children = pattern.children.map { settled($0, namespace: inner) }
        return pattern
    }
}
