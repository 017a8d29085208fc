// SPDX-License-Identifier: LGPL-2.1-or-later
internal import EventLoop

/// An exported object, whatever its type. One small block per object: there may be a hundred thousand.
@LoopActor
class Box {
    /// Shared by all objects of one type.
    let interfaces: [AnyInterface]
    /// False once it is no longer on the bus.
    var isExported = true
    /// The listing it was last written into.
    var listing: UInt32 = 0

    init(_ interfaces: [AnyInterface]) { self.interfaces = interfaces }

    /// The object itself, for who knows its type.
    var anyObject: any Sendable { preconditionFailure("abstract") }
}

final class TypedBox<Object: Sendable>: Box {
    var object: Object

    init(_ object: Object, _ interfaces: [AnyInterface]) {
        self.object = object
        super.init(interfaces)
    }

    override var anyObject: any Sendable { object }
}

/// All objects directly below one path.
@LoopActor
final class Node {
    let path: ObjectPath
    var objects: [String: Box] = [:]
    var manager: Manager?

    init(_ path: ObjectPath) { self.path = path }

    var isEmpty: Bool { objects.isEmpty && manager == nil }

    func path(of label: String) -> ObjectPath {
        ObjectPath(unchecked: path == .root ? "/" + label : path.description + "/" + label)
    }
}

/// Where the objects are. The root itself is kept as the child "" of "".
@LoopActor
final class ObjectTree {
    private(set) var nodes: [String: Node] = [:]

    /// The parts before and after the last slash; "/" is ("", "").
    static func split(_ path: ObjectPath) -> (parent: String, label: String) {
        let text = path.description
        guard text != "/", let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("", "") }
        let label = String(text[text.index(after: slash)...])
        return (slash == text.startIndex ? "/" : String(text[..<slash]), label)
    }

    func box(at path: ObjectPath) -> Box? {
        let (parent, label) = Self.split(path)
        return nodes[parent]?.objects[label]
    }

    func node(at path: ObjectPath) -> Node? { nodes[path.description] }

    func parent(of path: ObjectPath) -> Node? { nodes[Self.split(path).parent] }

    /// The node at `text`, made if there is none.
    func makeNode(_ text: String) -> Node {
        if let node = nodes[text] { return node }
        let node = Node(ObjectPath(unchecked: text))
        nodes[text] = node
        return node
    }

    func prune(_ node: Node) {
        if node.isEmpty { nodes[node.path.description] = nil }
    }

    /// The labels one level below `path`: of objects, and of paths that lead to objects. Nil if there is nothing at or below it.
    func children(of path: ObjectPath) -> [String]? {
        let prefix = path == .root ? "/" : path.description + "/"
        let direct = nodes[path.description]?.objects
        var labels: Set<String> = []
        for other in nodes.keys where other.utf8.count > prefix.utf8.count && other.utf8.starts(with: prefix.utf8) {
            labels.insert(String(other.dropFirst(prefix.count).prefix { $0 != "/" }))
        }
        if direct == nil && labels.isEmpty && box(at: path) == nil && nodes[path.description] == nil { return nil }
        guard let direct else { return labels.sorted() }
        labels.formUnion(direct.keys)
        // Sorting what nobody reads in order is not worth the time it holds up the loop.
        return labels.count <= 1000 ? labels.sorted() : Array(labels)
    }

    /// Whether `path` is an object, an ObjectManager, or leads to one.
    func exists(_ path: ObjectPath) -> Bool {
        if box(at: path) != nil || nodes[path.description] != nil { return true }
        let prefix = path == .root ? "/" : path.description + "/"
        return nodes.keys.contains { $0.utf8.starts(with: prefix.utf8) }
    }
}
