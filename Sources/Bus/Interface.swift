// SPDX-License-Identifier: LGPL-2.1-or-later
internal import EventLoop
import Glibc

/// A declared interface whatever the objects it is for: what the server works with.
///
/// `@unchecked Sendable` for the names as C strings alone: they are written in `init` and freed in `deinit`, all else is constant.
public class AnyInterface: @unchecked Sendable {
    public let name: String
    public let documentation: String
    let members: [MemberDescription]
    let methods: [String: Int]
    let signals: [String: String]
    let properties: [PropertyDescription]
    /// The positions in `properties`.
    let allProperties: [Int]
    private let nameBytes: UnsafeMutablePointer<CChar>?

    init(_ name: String, _ documentation: String, _ members: [MemberDescription]) {
        self.name = name
        self.documentation = documentation
        self.members = members
        var methods: [String: Int] = [:]
        var signals: [String: String] = [:]
        var properties: [PropertyDescription] = []
        for member in members {
            switch member {
            case .method(let method): methods[method.name] = methods.count
            case .signal(let signal): signals[signal.name] = signal.signature
            case .property(let property): properties.append(property)
            }
        }
        self.methods = methods
        self.signals = signals
        self.properties = properties
        allProperties = Array(properties.indices)
        nameBytes = strdup(name)
        precondition(methods.count + signals.count + properties.count == members.count, "\(name) declares a member twice")
    }

    deinit {
        free(nameBytes)
        for property in properties { property.release() }
    }

    /// The introspection document of this interface alone; the same text every time.
    public var xml: String { Introspection.document(of: self) }

    @inline(__always)
    func isNamed(_ other: UnsafePointer<CChar>) -> Bool {
        guard let nameBytes else { return false }
        return strcmp(nameBytes, other) == 0
    }

    /// The position of a property in `properties`.
    @inline(__always)
    func property(named name: UnsafePointer<CChar>) -> Int? { properties.firstIndex { $0.isNamed(name) } }

    // What depends on the type of the object: `Interface` answers.

    func method(_ index: Int) -> MethodDescription { preconditionFailure("abstract") }
    @LoopActor func prepare(_ method: Int, _ reader: MessageReader) throws(BusError) -> PreparedCall { preconditionFailure("abstract") }
    @LoopActor func append(_ property: Int, of box: Box, to writer: MessageWriter) throws(BusError) { preconditionFailure("abstract") }
    /// Appends `{sv}` for each of the properties.
    @LoopActor func appendEntries(_ properties: [Int], of box: Box, to writer: MessageWriter) throws(BusError) {
        preconditionFailure("abstract")
    }
    @LoopActor func wasRead(_ box: Box) { preconditionFailure("abstract") }
    @LoopActor func prepareSet(_ property: Int, _ reader: MessageReader) throws(BusError) -> PreparedCall {
        preconditionFailure("abstract")
    }
    /// The announced properties that differ from those of the object `box` holds now.
    @LoopActor func changes(of box: Box, to other: Box) -> [Int] { preconditionFailure("abstract") }
}

/// A call whose arguments were read and found good.
enum PreparedCall {
    case plain(@LoopActor (Box) async throws -> @LoopActor (MessageWriter) throws(BusError) -> Void)
    case streaming(@LoopActor (Box, MessageWriter) async throws -> Void)
}

/// A D-Bus interface, declared once: signatures, introspection, dispatch, authorization and documentation derive from it.
///
///     static let interface = Interface<Pool>("org.example.Pool", "A place volumes come from.") {
///         Property("Name", .constant, "Its name.") { $0.name }
///         Method("Start", "Starts it.", gives: "job", allow: .action("org.example.pool.operate"), call: Pool.start)
///     }
public final class Interface<Object: Sendable>: AnyInterface, @unchecked Sendable {
    private let declaredMethods: [Method<Object>]
    private let descriptions: [MethodDescription]
    let declaredProperties: [Property<Object>]
    private let announced: [Int]
    private let onRead: @LoopActor (Object) -> Void

    /// - Parameter onRead: called when somebody asks for properties by Get or GetAll, before they are answered as they are.
    public init(
        _ name: String, _ documentation: String, onRead: @escaping @LoopActor (Object) -> Void = { _ in },
        @InterfaceBuilder<Object> _ members: () -> [Member<Object>]
    ) {
        self.onRead = onRead
        let members = members()
        var methods: [Method<Object>] = []
        var properties: [Property<Object>] = []
        for member in members {
            switch member {
            case .method(let method): methods.append(method)
            case .property(let property): properties.append(property)
            case .signal: break
            }
        }
        declaredMethods = methods
        descriptions = methods.map { MethodDescription($0) }
        declaredProperties = properties
        announced = properties.indices.filter { [.changes, .invalidates].contains(properties[$0].announcement) }
        super.init(name, documentation, members.map(\.description))
    }

    // The server pairs an interface with boxes of its own object type only (`ObjectServer.export`), hence the unchecked casts.

    override func method(_ index: Int) -> MethodDescription { descriptions[index] }

    @LoopActor
    override func prepare(_ method: Int, _ reader: MessageReader) throws(BusError) -> PreparedCall {
        switch declaredMethods[method].invocation {
        case .plain(let read):
            let run = try read(reader)
            return .plain { box in try await run(unsafeDowncast(box, to: TypedBox<Object>.self).object) }
        case .streaming(let read):
            let run = try read(reader)
            return .streaming { box, writer in try await run(unsafeDowncast(box, to: TypedBox<Object>.self).object, writer) }
        }
    }

    @LoopActor
    override func append(_ property: Int, of box: Box, to writer: MessageWriter) throws(BusError) {
        try declaredProperties[property].append(unsafeDowncast(box, to: TypedBox<Object>.self).object, writer)
    }

    @LoopActor
    override func appendEntries(_ properties: [Int], of box: Box, to writer: MessageWriter) throws(BusError) {
        // Read once: the object may be large.
        try appendEntries(properties, of: unsafeDowncast(box, to: TypedBox<Object>.self).object, to: writer)
    }

    @LoopActor
    func appendEntries(_ properties: [Int], of object: Object, to writer: MessageWriter) throws(BusError) {
        for index in properties {
            try writer.beginEntry("sv")
            try writer.string("s", declaredProperties[index].name)
            try writer.beginVariant(declaredProperties[index].type)
            try declaredProperties[index].append(object, writer)
            try writer.end()
            try writer.end()
        }
    }

    @LoopActor
    override func wasRead(_ box: Box) { onRead(unsafeDowncast(box, to: TypedBox<Object>.self).object) }

    @LoopActor
    override func prepareSet(_ property: Int, _ reader: MessageReader) throws(BusError) -> PreparedCall {
        guard let setter = declaredProperties[property].setter else { throw .propertyReadOnly("This property cannot be written.") }
        let run = try setter.prepare(reader)
        return .plain { box in
            try await run(unsafeDowncast(box, to: TypedBox<Object>.self).object)
            return { (_: MessageWriter) throws(BusError) in }
        }
    }

    @LoopActor
    override func changes(of box: Box, to other: Box) -> [Int] {
        let old = unsafeDowncast(box, to: TypedBox<Object>.self).object
        let new = unsafeDowncast(other, to: TypedBox<Object>.self).object
        return announced.filter { declaredProperties[$0].differs(old, new) }
    }
}

/// A member of an interface as it was declared.
public enum Member<Object: Sendable>: Sendable {
    case method(Method<Object>)
    case property(Property<Object>)
    case signal(Signal)

    var description: MemberDescription {
        switch self {
        case .method(let method): .method(MethodDescription(method))
        case .property(let property):
            .property(
                PropertyDescription(
                    property.name, property.type, property.announcement, property.documentation, property.setter?.access))
        case .signal(let signal): .signal(signal)
        }
    }
}

@resultBuilder
public enum InterfaceBuilder<Object: Sendable> {
    public static func buildExpression(_ method: Method<Object>) -> [Member<Object>] { [.method(method)] }
    public static func buildExpression(_ method: StreamingMethod<Object>) -> [Member<Object>] { [.method(method.method)] }
    public static func buildExpression(_ property: Property<Object>) -> [Member<Object>] { [.property(property)] }
    public static func buildExpression(_ property: WritableProperty<Object>) -> [Member<Object>] { [.property(property.property)] }
    public static func buildExpression(_ signal: Signal) -> [Member<Object>] { [.signal(signal)] }
    public static func buildBlock(_ members: [Member<Object>]...) -> [Member<Object>] { members.flatMap { $0 } }
}
