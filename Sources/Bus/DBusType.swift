// SPDX-License-Identifier: LGPL-2.1-or-later

/// A type that travels over D-Bus as exactly one complete type.
public protocol DBusType: Sendable {
    /// The complete type: "s", "a{sv}".
    static var signature: String { get }
    static func read(_ reader: MessageReader) throws(BusError) -> Self
    func append(_ writer: MessageWriter) throws(BusError)
}

/// What can be the key of a dictionary.
public protocol DBusBasic: DBusType, Hashable {}

/// Numbers: what is in memory is what is sent.
public protocol DBusNumber: DBusBasic, BitwiseCopyable {
    static var typeCode: Unicode.Scalar { get }
    init()
}

extension DBusNumber {
    public static var signature: String { String(Character(typeCode)) }
    public static func read(_ reader: MessageReader) throws(BusError) -> Self { try reader.basic(typeCode, Self()) }
    public func append(_ writer: MessageWriter) throws(BusError) {
        try writer.basic(Self.typeCode, self, size: MemoryLayout<Self>.size)
    }
}

extension UInt8: DBusNumber { public static var typeCode: Unicode.Scalar { "y" } }
extension Int16: DBusNumber { public static var typeCode: Unicode.Scalar { "n" } }
extension UInt16: DBusNumber { public static var typeCode: Unicode.Scalar { "q" } }
extension Int32: DBusNumber { public static var typeCode: Unicode.Scalar { "i" } }
extension UInt32: DBusNumber { public static var typeCode: Unicode.Scalar { "u" } }
extension Int64: DBusNumber { public static var typeCode: Unicode.Scalar { "x" } }
extension UInt64: DBusNumber { public static var typeCode: Unicode.Scalar { "t" } }
extension Double: DBusNumber { public static var typeCode: Unicode.Scalar { "d" } }

extension Bool: DBusBasic {
    public static var signature: String { "b" }
    public static func read(_ reader: MessageReader) throws(BusError) -> Bool { try reader.basic("b", Int32(0)) != 0 }
    public func append(_ writer: MessageWriter) throws(BusError) { try writer.basic("b", Int32(self ? 1 : 0), size: 4) }
}

extension String: DBusBasic {
    public static var signature: String { "s" }
    public static func read(_ reader: MessageReader) throws(BusError) -> String { try reader.string("s") }
    public func append(_ writer: MessageWriter) throws(BusError) { try writer.string("s", self) }
}

extension ObjectPath {
    public static var signature: String { "o" }
    public static func read(_ reader: MessageReader) throws(BusError) -> ObjectPath { ObjectPath(unchecked: try reader.string("o")) }
    public func append(_ writer: MessageWriter) throws(BusError) { try writer.string("o", description) }
}

extension Signature {
    public static var signature: String { "g" }
    public static func read(_ reader: MessageReader) throws(BusError) -> Signature { Signature(unchecked: try reader.string("g")) }
    public func append(_ writer: MessageWriter) throws(BusError) { try writer.string("g", description) }
}

extension Array: DBusType where Element: DBusType {
    public static var signature: String { "a" + Element.signature }

    public static func read(_ reader: MessageReader) throws(BusError) -> [Element] {
        var values: [Element] = []
        try reader.begin("a", Element.signature)
        while !reader.isAtEnd { values.append(try Element.read(reader)) }
        try reader.end()
        return values
    }

    public func append(_ writer: MessageWriter) throws(BusError) {
        try writer.beginArray(Element.signature)
        for element in self { try element.append(writer) }
        try writer.end()
    }
}

extension Dictionary: DBusType where Key: DBusBasic, Value: DBusType {
    private static var entry: String { Key.signature + Value.signature }
    public static var signature: String { "a{" + entry + "}" }

    /// Of entries with the same key, the last one counts.
    public static func read(_ reader: MessageReader) throws(BusError) -> [Key: Value] {
        var values: [Key: Value] = [:]
        let entry = entry
        try reader.begin("a", "{" + entry + "}")
        while try reader.enter("e", entry) {
            let key = try Key.read(reader)
            values[key] = try Value.read(reader)
            try reader.end()
        }
        try reader.end()
        return values
    }

    public func append(_ writer: MessageWriter) throws(BusError) {
        let entry = Self.entry
        try writer.beginArray("{" + entry + "}")
        for (key, value) in self {
            try writer.beginEntry(entry)
            try key.append(writer)
            try value.append(writer)
            try writer.end()
        }
        try writer.end()
    }
}

/// A D-Bus structure: `Struct<String, UInt64>` is "(st)".
public struct Struct<each T: DBusType>: DBusType {
    public let values: (repeat each T)

    public init(_ values: repeat each T) { self.values = (repeat each values) }

    private static var contents: String { joinedSignature(repeat (each T).self) }
    public static var signature: String { "(" + contents + ")" }

    public static func read(_ reader: MessageReader) throws(BusError) -> Self {
        try reader.begin("r", contents)
        let value = Self(repeat try (each T).read(reader))
        try reader.end()
        return value
    }

    public func append(_ writer: MessageWriter) throws(BusError) {
        try writer.beginStructure(Self.contents)
        repeat try (each values).append(writer)
        try writer.end()
    }
}

extension Struct: Equatable where repeat each T: Equatable {
    public static func == (left: Self, right: Self) -> Bool {
        for (left, right) in repeat (each left.values, each right.values) {
            if left != right { return false }
        }
        return true
    }
}

extension Struct: Hashable where repeat each T: Hashable {
    public func hash(into hasher: inout Hasher) { repeat hasher.combine(each values) }
}
