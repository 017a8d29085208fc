// SPDX-License-Identifier: LGPL-2.1-or-later
internal import EventLoop

/// Who may call a method. There is no default: whoever declares a method decides.
public enum Access: Sendable, Equatable {
    case everyone
    /// Whoever the server's `authorize` lets do this action.
    case action(String)
    /// The handler decides, because it depends on the object.
    case decidedByObject
}

/// What a call will do, once its arguments were read and found good.
enum Invocation<Object> {
    typealias Fill = @LoopActor (MessageWriter) throws(BusError) -> Void
    /// The result is appended after the handler has ended.
    case plain(@LoopActor (MessageReader) throws(BusError) -> @LoopActor (Object) async throws -> Fill)
    /// The handler writes the result itself, piece by piece.
    case streaming(@LoopActor (MessageReader) throws(BusError) -> @LoopActor (Object, MessageWriter) async throws -> Void)
}

/// An argument of a method or a signal.
struct Argument: Sendable, Equatable {
    let name: String
    let type: String
}

/// A method of an interface, declared by its handler: the D-Bus signature is computed from the Swift types.
///
/// A handler whose last parameter is `Options` takes a{sv} with the keys and types in `options`. Arguments and options are checked
/// first, then the caller's authorization, and then the handler runs as a task on the loop.
public struct Method<Object: Sendable>: Sendable {
    let name: String
    let documentation: String
    let inputs: [Argument]
    let outputs: [Argument]
    let schema: OptionSchema?
    let access: Access
    let invocation: Invocation<Object>

    /// `Method("Resize", "…", takes: "capacity", gives: "job", options: ["allow-shrink": "b"], allow: .action("…"), call: Volume.resize)`
    public init<each In: DBusType, each Out: DBusType>(
        _ name: String, _ documentation: String, takes: String..., gives: String..., options: [String: String] = [:], allow access: Access,
        call body: @escaping @LoopActor (Object) -> @LoopActor (repeat each In) async throws -> (repeat each Out)
    ) {
        let invocation = Invocation<Object>.plain { reader throws(BusError) in
            let arguments = (repeat try (each In).read(reader))
            return { object in
                let results = try await body(object)(repeat each arguments)
                return { writer throws(BusError) in repeat try (each results).append(writer) }
            }
        }
        self.init(
            name, documentation, takes, Self.types(repeat (each In).self), zipped(gives, Self.types(repeat (each Out).self), name), options,
            access, invocation)
    }

    fileprivate init(
        _ name: String, _ documentation: String, _ inputNames: [String], _ inputTypes: [(type: String, isOptions: Bool)],
        _ outputs: [Argument], _ options: [String: String], _ access: Access, _ invocation: Invocation<Object>
    ) {
        let hasOptions = inputTypes.last?.isOptions == true
        precondition(hasOptions || options.isEmpty, "\(name) declares options, but its handler's last parameter is not Options")
        self.name = name
        self.documentation = documentation
        self.inputs = zipped(hasOptions ? inputNames + ["options"] : inputNames, inputTypes.map(\.type), name)
        self.outputs = outputs
        self.access = access
        self.invocation = invocation
        schema = hasOptions ? OptionSchema(options) : nil
        for (key, type) in options {
            precondition(Signature.split(type)?.count == 1, "\(name) declares the option \(key) with the wrong type \(type)")
        }
    }

    fileprivate static func types<each T: DBusType>(_: repeat (each T).Type) -> [(type: String, isOptions: Bool)] {
        var types: [(type: String, isOptions: Bool)] = []
        repeat types.append(((each T).signature, (each T).self == Options.self))
        return types
    }

    fileprivate static func types<each T: DBusType>(_: repeat (each T).Type) -> [String] {
        var types: [String] = []
        repeat types.append((each T).signature)
        return types
    }

    var input: String { inputs.map(\.type).joined() }
    var output: String { outputs.map(\.type).joined() }
}

/// A method whose result is large: its handler writes it piece by piece, and lets others have the loop in between (`Slice`).
public struct StreamingMethod<Object: Sendable>: Sendable {
    let method: Method<Object>

    /// `gives` are the names and types of the results, which the handler must write in this order.
    public init<each In: DBusType>(
        _ name: String, _ documentation: String, takes: String..., gives: (String, String)..., options: [String: String] = [:],
        allow access: Access, call body: @escaping @LoopActor (Object, MessageWriter, repeat each In) async throws -> Void
    ) {
        let invocation = Invocation<Object>.streaming { reader throws(BusError) in
            let arguments = (repeat try (each In).read(reader))
            return { object, writer in try await body(object, writer, repeat each arguments) }
        }
        method = Method(
            name, documentation, takes, Method<Object>.types(repeat (each In).self), gives.map { Argument(name: $0.0, type: $0.1) },
            options, access, invocation)
    }

    /// The same for a method of the object, `call: Manager.listVolumes`.
    public init<each In: DBusType>(
        _ name: String, _ documentation: String, takes: String..., gives: (String, String)..., options: [String: String] = [:],
        allow access: Access, call body: @escaping @LoopActor (Object) -> @LoopActor (MessageWriter, repeat each In) async throws -> Void
    ) {
        let invocation = Invocation<Object>.streaming { reader throws(BusError) in
            let arguments = (repeat try (each In).read(reader))
            return { object, writer in try await body(object)(writer, repeat each arguments) }
        }
        method = Method(
            name, documentation, takes, Method<Object>.types(repeat (each In).self), gives.map { Argument(name: $0.0, type: $0.1) },
            options, access, invocation)
    }
}

/// A mistake here is one of the declaration, found when the program starts.
private func zipped(_ names: [String], _ types: [String], _ member: String) -> [Argument] {
    precondition(names.count == types.count, "\(member) names \(names.count) arguments or results, but has \(types.count)")
    return zip(names, types).map { Argument(name: $0, type: $1) }
}

/// A signal of an interface.
public struct Signal: Sendable {
    let name: String
    let documentation: String
    let arguments: [Argument]

    public init(_ name: String, _ documentation: String, arguments: (String, String)...) {
        self.name = name
        self.documentation = documentation
        self.arguments = arguments.map { Argument(name: $0.0, type: $0.1) }
    }

    var signature: String { arguments.map(\.type).joined() }
}
