// SPDX-License-Identifier: LGPL-2.1-or-later

/// Any D-Bus value, with its type. As a `DBusType` it is the variant "v" that holds this value.
public enum Variant: Hashable, Sendable {
    case bool(Bool)
    case byte(UInt8)
    case int16(Int16)
    case uint16(UInt16)
    case int32(Int32)
    case uint32(UInt32)
    case int64(Int64)
    case uint64(UInt64)
    case double(Double)
    case string(String)
    case path(ObjectPath)
    case signature(Signature)
    case descriptor(UnixDescriptor)
    /// The complete type of the elements, and the elements.
    case array(String, [Variant])
    case structure([Variant])
    /// The types of key and value, and the entries in the order they were sent.
    case dictionary(String, String, [Entry])
    /// A variant inside of a variant.
    indirect case variant(Variant)

    /// One entry of a dictionary.
    public struct Entry: Hashable, Sendable {
        public var key: Variant
        public var value: Variant

        public init(_ key: Variant, _ value: Variant) {
            self.key = key
            self.value = value
        }
    }

    /// The complete type of the value.
    public var contents: String {
        switch self {
        case .bool: "b"
        case .byte: "y"
        case .int16: "n"
        case .uint16: "q"
        case .int32: "i"
        case .uint32: "u"
        case .int64: "x"
        case .uint64: "t"
        case .double: "d"
        case .string: "s"
        case .path: "o"
        case .signature: "g"
        case .descriptor: "h"
        case .array(let element, _): "a" + element
        case .structure(let members): "(" + members.map(\.contents).joined() + ")"
        case .dictionary(let key, let value, _): "a{" + key + value + "}"
        case .variant: "v"
        }
    }

    // MARK: Making

    public static func strings(_ values: [String]) -> Variant { .array("s", values.map { .string($0) }) }
    public static func paths(_ values: [ObjectPath]) -> Variant { .array("o", values.map { .path($0) }) }

    /// a{sv}, sorted by key.
    public static func dictionary(_ values: [String: Variant]) -> Variant {
        let entries = values.sorted { $0.key < $1.key }
        return .dictionary("s", "v", entries.map { Entry(.string($0.key), .variant($0.value)) })
    }

    /// a{ss}, sorted by key.
    public static func dictionary(_ values: [String: String]) -> Variant {
        let entries = values.sorted { $0.key < $1.key }
        return .dictionary("s", "s", entries.map { Entry(.string($0.key), .string($0.value)) })
    }

    // MARK: Taking apart

    /// The value of any integer type, if it is not negative.
    public var unsigned: UInt64? {
        switch self {
        case .byte(let value): UInt64(value)
        case .uint16(let value): UInt64(value)
        case .uint32(let value): UInt64(value)
        case .uint64(let value): value
        case .int16(let value): UInt64(exactly: value)
        case .int32(let value): UInt64(exactly: value)
        case .int64(let value): UInt64(exactly: value)
        default: nil
        }
    }

    /// The value of any integer type, if an Int64 holds it.
    public var signed: Int64? {
        switch self {
        case .int16(let value): Int64(value)
        case .int32(let value): Int64(value)
        case .int64(let value): value
        default: unsigned.flatMap { Int64(exactly: $0) }
        }
    }

    public var text: String? { if case .string(let value) = self { value } else { nil } }
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var double: Double? { if case .double(let value) = self { value } else { nil } }
    public var path: ObjectPath? { if case .path(let value) = self { value } else { nil } }
    public var descriptor: UnixDescriptor? { if case .descriptor(let value) = self { value } else { nil } }

    /// The elements of an array of any type, or the members of a structure.
    public var elements: [Variant]? {
        switch self {
        case .array(_, let elements), .structure(let elements): elements
        default: nil
        }
    }

    /// An array of strings.
    public var strings: [String]? {
        guard case .array("s", let elements) = self else { return nil }
        return elements.compactMap(\.text)
    }

    /// An array of object paths.
    public var paths: [ObjectPath]? {
        guard case .array("o", let elements) = self else { return nil }
        return elements.compactMap(\.path)
    }

    /// A dictionary a{sv}; of entries with the same key the last one counts.
    public var dictionary: [String: Variant]? {
        guard case .dictionary("s", "v", let entries) = self else { return nil }
        var values: [String: Variant] = [:]
        for entry in entries { if case .string(let key) = entry.key, case .variant(let value) = entry.value { values[key] = value } }
        return values
    }

    /// A dictionary a{ss}; of entries with the same key the last one counts.
    public var stringDictionary: [String: String]? {
        guard case .dictionary("s", "s", let entries) = self else { return nil }
        var values: [String: String] = [:]
        for entry in entries { if let key = entry.key.text, let value = entry.value.text { values[key] = value } }
        return values
    }
}
