// SPDX-License-Identifier: LGPL-2.1-or-later
public import EventLoop

/// The objects a connection offers: answers calls, properties, introspection and ObjectManager, and derives their signals.
///
/// An object is a value: `update` compares the properties of the old value with those of the new one.
@LoopActor
public final class ObjectServer {
    /// Throws unless the caller may do the action to the object.
    public typealias Authorize = @LoopActor (Call, String, any Sendable) async throws -> Void

    /// Told how a call has ended that not everybody may make; the error is nil if it succeeded.
    public typealias Ended = @LoopActor (Call, any Sendable, BusError?) -> Void

    /// Past this size GetManagedObjects is refused. A bus takes 32 MiB, and disconnects who sends more.
    nonisolated static let listingLimit = 24 << 20

    let connection: Connection
    let tree = ObjectTree()
    let authorize: Authorize
    let ended: Ended
    let describe: @LoopActor (any Error) -> BusError
    /// Told when a signal could not be sent, which is not the fault of anybody who could be told otherwise.
    public var onSignalFailure: (@LoopActor (BusError) -> Void)?
    private var interfaceLists: [[ObjectIdentifier]: [AnyInterface]] = [:]

    /// `describe` maps what a handler throws, unless that is a `BusError` already.
    public init(
        _ connection: Connection, authorize: @escaping Authorize, ended: @escaping Ended = { _, _, _ in },
        describe: @escaping @LoopActor (any Error) -> BusError = { .failed("\($0)") }
    ) {
        self.connection = connection
        self.authorize = authorize
        self.ended = ended
        self.describe = describe
        connection.handler = { [weak self] message in self?.dispatch(message) ?? 0 }
    }

    // MARK: Objects

    /// Puts an object on the bus, in place of what was at `path`. Below a manager, InterfacesAdded tells so, with all properties.
    public func export<Object: Sendable>(_ object: Object, at path: ObjectPath, _ interfaces: [Interface<Object>]) {
        remove(path)
        let box = TypedBox(object, shared(interfaces))
        let (parent, label) = ObjectTree.split(path)
        let node = tree.makeNode(parent)
        node.objects[label] = box
        guard let manager = node.manager else { return }
        manager.listing?.objectAdded(label)
        signalAdded(node, label, box, to: nil)
    }

    /// Replaces the object's value. Of each interface, all announced properties that differ go out in one PropertiesChanged; none if
    /// none does. False if there is no object of this type at `path`.
    @discardableResult
    public func update<Object: Sendable>(_ path: ObjectPath, to object: Object) -> Bool {
        let (parent, label) = ObjectTree.split(path)
        guard let node = tree.nodes[parent], let box = node.objects[label] as? TypedBox<Object> else { return false }
        let other = TypedBox(object, box.interfaces)
        let changes = box.interfaces.map { $0.changes(of: box, to: other) }
        box.object = object
        for (position, properties) in changes.enumerated() where !properties.isEmpty {
            node.manager?.listing?.objectChanged(label, box, position, properties)
            signalChanged(path, box, box.interfaces[position], properties, to: nil)
        }
        return true
    }

    /// Takes an object off the bus; InterfacesRemoved tells so below a manager. Calls that wait for authorization fail.
    @discardableResult
    public func remove(_ path: ObjectPath) -> Bool {
        let (parent, label) = ObjectTree.split(path)
        guard let node = tree.nodes[parent], let box = node.objects.removeValue(forKey: label) else { return false }
        box.isExported = false
        if let manager = node.manager {
            manager.listing?.objectRemoved(label, box)
            signalRemoved(node, label, box.interfaces, to: nil)
        }
        tree.prune(node)
        return true
    }

    /// The value at `path`, if there is one of this type.
    public func object<Object: Sendable>(at path: ObjectPath, as: Object.Type = Object.self) -> Object? {
        (tree.box(at: path) as? TypedBox<Object>)?.object
    }

    // MARK: Managers

    /// Makes `path` an ObjectManager of the objects exactly one label below it. `hint` continues "The message would be larger than
    /// 24 MiB;" and says what to do instead.
    public func addManager(at path: ObjectPath, hint: String) {
        tree.makeNode(path.description).manager = Manager(hint: hint)
    }

    /// The objects below `path` stay, unannounced.
    public func removeManager(at path: ObjectPath) {
        guard let node = tree.node(at: path) else { return }
        node.manager = nil
        tree.prune(node)
    }

    /// The paths of the objects one label below `path`, in no order.
    public func children(of path: ObjectPath) -> [ObjectPath] {
        guard let node = tree.node(at: path) else { return [] }
        return node.objects.keys.map { node.path(of: $0) }
    }

    // MARK: Signals

    /// Emits a signal the interface declares, with arguments of the types it declares.
    public func emit<each A: DBusType>(
        _ path: ObjectPath, _ interface: AnyInterface, _ signal: String, _ arguments: repeat each A
    ) throws(BusError) {
        let given = joinedSignature(repeat (each A).self)
        guard let declared = interface.signals[signal], declared == given else {
            throw .failed("\(interface.name) declares no signal \(signal)(\(given)).")
        }
        try connection.emit(path, interface.name, signal, repeat each arguments)
    }

    func signalAdded(_ node: Node, _ label: String, _ box: Box, to destination: String?) {
        send(node.path, StandardInterfaces.objectManagerName, "InterfacesAdded", to: destination) { writer throws(BusError) in
            try node.path(of: label).append(writer)
            try self.appendInterfaces(box, to: writer)
        }
    }

    func signalRemoved(_ node: Node, _ label: String, _ interfaces: [AnyInterface], to destination: String?) {
        send(node.path, StandardInterfaces.objectManagerName, "InterfacesRemoved", to: destination) { writer throws(BusError) in
            try node.path(of: label).append(writer)
            try interfaces.map(\.name).append(writer)
        }
    }

    func signalChanged(_ path: ObjectPath, _ box: Box, _ interface: AnyInterface, _ properties: [Int], to destination: String?) {
        let valued = properties.filter { interface.properties[$0].announcement == .changes }
        let invalidated = properties.filter { interface.properties[$0].announcement == .invalidates }
        send(path, StandardInterfaces.propertiesName, "PropertiesChanged", to: destination) { writer throws(BusError) in
            try interface.name.append(writer)
            try self.append(valued, of: interface, box, to: writer)
            try invalidated.map { interface.properties[$0].name }.append(writer)
        }
    }

    private func send(
        _ path: ObjectPath, _ interface: String, _ member: String, to destination: String?,
        _ fill: @LoopActor (MessageWriter) throws(BusError) -> Void
    ) {
        guard !connection.isClosed else { return }
        do throws(BusError) {
            try connection.signal(path, interface, member, to: destination, fill)
        } catch {
            onSignalFailure?(error)
        }
    }

    /// One array for all objects with the same interfaces.
    private func shared<Object>(_ interfaces: [Interface<Object>]) -> [AnyInterface] {
        let key = interfaces.map { ObjectIdentifier($0) }
        if let known = interfaceLists[key] { return known }
        interfaceLists[key] = interfaces
        return interfaces
    }
}
