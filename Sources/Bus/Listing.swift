// SPDX-License-Identifier: LGPL-2.1-or-later
internal import EventLoop

/// For methods that list objects by their properties: the same declaration that answers Get answers them.
extension Interface {
    /// The positions of the named properties, sorted by name; of all properties if there are no names.
    ///
    /// - Throws: `InvalidArgs` that names a property that is none.
    public func fields(_ names: [String]?) throws(BusError) -> [Int] {
        guard let names else { return Array(declaredProperties.indices) }
        var fields: [Int] = []
        for name in Set(names).sorted() { fields.append(try position(name)) }
        return fields
    }

    /// Appends the fields of an object as `a{sv}`.
    @LoopActor
    public func append(_ fields: [Int], of object: Object, to writer: MessageWriter) throws(BusError) {
        try writer.beginArray("{sv}")
        try appendEntries(fields, of: object, to: writer)
        try writer.end()
    }

    /// A test whether all the named properties of an object have the values given; nil if there are none. An integer may have any type
    /// that holds it.
    ///
    /// - Throws: `InvalidArgs` if there is no such property, or it cannot have the value's type.
    public func matcher(_ filter: [String: Variant]) throws(BusError) -> (@LoopActor (Object) -> Bool)? {
        if filter.isEmpty { return nil }
        var wanted: [(property: Property<Object>, value: Variant)] = []
        for (name, value) in filter.sorted(by: { $0.key < $1.key }) {
            let property = declaredProperties[try position(name)]
            guard OptionSchema.accepts(property.type, value.contents), Self.comparable.contains(property.type) else {
                throw .invalidArguments(
                    "Property '\(name)' is of type \(property.type) and cannot be compared with a value of type \(value.contents).")
            }
            guard let converted = OptionSchema.convert(value, to: property.type) else {
                return { _ in false }  // out of the type's range: nothing can equal it
            }
            wanted.append((property, converted))
        }
        return { object in wanted.allSatisfy { $0.property.variant(object) == $0.value } }
    }

    private static var comparable: Set<String> { ["b", "y", "n", "q", "i", "u", "x", "t", "d", "s", "o", "as", "a{ss}"] }

    private func position(_ name: String) throws(BusError) -> Int {
        if let index = declaredProperties.firstIndex(where: { $0.name == name }) { return index }
        throw .invalidArguments(
            "There is no property '\(name.prefix(100))'; there are \(declaredProperties.map(\.name).sorted().joined(separator: ", ")).")
    }
}

extension Variant {
    /// The value as a variant, if it is of a type that can be compared.
    init?(basic value: some DBusType) {
        switch value {
        case let value as String: self = .string(value)
        case let value as UInt64: self = .uint64(value)
        case let value as UInt32: self = .uint32(value)
        case let value as Bool: self = .bool(value)
        case let value as ObjectPath: self = .path(value)
        case let value as Double: self = .double(value)
        case let value as Int64: self = .int64(value)
        case let value as Int32: self = .int32(value)
        case let value as UInt16: self = .uint16(value)
        case let value as Int16: self = .int16(value)
        case let value as UInt8: self = .byte(value)
        case let value as [String]: self = .strings(value)
        case let value as [String: String]: self = .dictionary(value)
        default: return nil
        }
    }
}
