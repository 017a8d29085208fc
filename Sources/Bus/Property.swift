// SPDX-License-Identifier: LGPL-2.1-or-later
internal import EventLoop

/// When a property's changes are announced.
public enum Announcement: String, Sendable {
    /// Never changes as long as the object exists.
    case constant = "const"
    /// PropertiesChanged with the new value.
    case changes = "true"
    /// PropertiesChanged with the name only; whoever cares asks for the value.
    case invalidates = "invalidates"
    /// Changes without notice.
    case silent = "false"
}

/// A property that callers can read: `Property("Name", .constant, "…") { $0.name }`.
public struct Property<Object: Sendable>: Sendable {
    let name: String
    let type: String
    let announcement: Announcement
    let documentation: String
    let append: @LoopActor (Object, MessageWriter) throws(BusError) -> Void
    let differs: @LoopActor (Object, Object) -> Bool
    let variant: @LoopActor (Object) -> Variant?
    let setter: Setter<Object>?

    public init<T: DBusType & Equatable>(
        _ name: String, _ announcement: Announcement, _ documentation: String, get: @escaping @LoopActor (Object) -> T
    ) {
        self.init(name, announcement, documentation, get, setter: nil)
    }

    fileprivate init<T: DBusType & Equatable>(
        _ name: String, _ announcement: Announcement, _ documentation: String, _ get: @escaping @LoopActor (Object) -> T,
        setter: Setter<Object>?
    ) {
        self.name = name
        self.type = T.signature
        self.announcement = announcement
        self.documentation = documentation
        self.setter = setter
        append = { object, writer throws(BusError) in try get(object).append(writer) }
        differs = { old, new in get(old) != get(new) }
        variant = { object in Variant(basic: get(object)) }
    }
}

struct Setter<Object: Sendable>: Sendable {
    let access: Access
    let prepare: @LoopActor (MessageReader) throws(BusError) -> @LoopActor (Object) async throws -> Void
}

/// A property that callers can write, too.
public struct WritableProperty<Object: Sendable>: Sendable {
    let property: Property<Object>

    /// `allow` says who may write; everybody may read.
    public init<T: DBusType & Equatable>(
        _ name: String, _ announcement: Announcement, _ documentation: String, allow access: Access,
        get: @escaping @LoopActor (Object) -> T, set: @escaping @LoopActor (Object, T) async throws -> Void
    ) {
        let setter = Setter<Object>(access: access) { reader throws(BusError) in
            let value = try T.read(reader)
            return { object in try await set(object, value) }
        }
        property = Property(name, announcement, documentation, get, setter: setter)
    }
}
