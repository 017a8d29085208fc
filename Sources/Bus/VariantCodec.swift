// SPDX-License-Identifier: LGPL-2.1-or-later

extension Variant: DBusType {
    public static var signature: String { "v" }

    public static func read(_ reader: MessageReader) throws(BusError) -> Variant {
        let contents = try reader.variantContents()
        try reader.begin("v", contents)
        let value = try read(contents, reader)
        try reader.end()
        return value
    }

    public func append(_ writer: MessageWriter) throws(BusError) {
        try writer.beginVariant(contents)
        try appendContents(writer)
        try writer.end()
    }

    /// Reads a value of the complete type `type`.
    static func read(_ type: String, _ reader: MessageReader) throws(BusError) -> Variant {
        switch type.utf8.first {
        case UInt8(ascii: "b"): .bool(try Bool.read(reader))
        case UInt8(ascii: "y"): .byte(try UInt8.read(reader))
        case UInt8(ascii: "n"): .int16(try Int16.read(reader))
        case UInt8(ascii: "q"): .uint16(try UInt16.read(reader))
        case UInt8(ascii: "i"): .int32(try Int32.read(reader))
        case UInt8(ascii: "u"): .uint32(try UInt32.read(reader))
        case UInt8(ascii: "x"): .int64(try Int64.read(reader))
        case UInt8(ascii: "t"): .uint64(try UInt64.read(reader))
        case UInt8(ascii: "d"): .double(try Double.read(reader))
        case UInt8(ascii: "s"): .string(try String.read(reader))
        case UInt8(ascii: "o"): .path(try ObjectPath.read(reader))
        case UInt8(ascii: "g"): .signature(try Signature.read(reader))
        case UInt8(ascii: "h"): .descriptor(try UnixDescriptor.read(reader))
        case UInt8(ascii: "v"): .variant(try Variant.read(reader))
        case UInt8(ascii: "("): try readStructure(String(type.dropFirst().dropLast()), reader)
        case UInt8(ascii: "a"):
            if type.utf8.dropFirst().first == UInt8(ascii: "{") {
                try readDictionary(String(type.dropFirst(2).dropLast()), reader)
            } else {
                try readArray(String(type.dropFirst()), reader)
            }
        default: throw .invalidArguments("A value of the unknown type \(type) cannot be read.")
        }
    }

    private static func readArray(_ element: String, _ reader: MessageReader) throws(BusError) -> Variant {
        var elements: [Variant] = []
        try reader.begin("a", element)
        while !reader.isAtEnd { elements.append(try read(element, reader)) }
        try reader.end()
        return .array(element, elements)
    }

    private static func readStructure(_ contents: String, _ reader: MessageReader) throws(BusError) -> Variant {
        var members: [Variant] = []
        try reader.begin("r", contents)
        for type in Signature.split(contents) ?? [] { members.append(try read(type, reader)) }
        try reader.end()
        return .structure(members)
    }

    private static func readDictionary(_ contents: String, _ reader: MessageReader) throws(BusError) -> Variant {
        // A key is a basic type, which is one character.
        let key = String(contents.prefix(1))
        let value = String(contents.dropFirst())
        var entries: [Entry] = []
        try reader.begin("a", "{" + contents + "}")
        while try reader.enter("e", contents) {
            let entryKey = try read(key, reader)
            entries.append(Entry(entryKey, try read(value, reader)))
            try reader.end()
        }
        try reader.end()
        return .dictionary(key, value, entries)
    }

    /// Appends the bare value, without a variant around it. A value whose parts differ from the type it claims is refused.
    func appendContents(_ writer: MessageWriter) throws(BusError) {
        switch self {
        case .bool(let value): try value.append(writer)
        case .byte(let value): try value.append(writer)
        case .int16(let value): try value.append(writer)
        case .uint16(let value): try value.append(writer)
        case .int32(let value): try value.append(writer)
        case .uint32(let value): try value.append(writer)
        case .int64(let value): try value.append(writer)
        case .uint64(let value): try value.append(writer)
        case .double(let value): try value.append(writer)
        case .string(let value): try value.append(writer)
        case .path(let value): try value.append(writer)
        case .signature(let value): try value.append(writer)
        case .descriptor(let value): try value.append(writer)
        case .variant(let value): try value.append(writer)
        case .array(let element, let elements):
            try writer.beginArray(element)
            for value in elements { try value.appendContents(writer) }
            try writer.end()
        case .structure(let members):
            try writer.beginStructure(members.map(\.contents).joined())
            for member in members { try member.appendContents(writer) }
            try writer.end()
        case .dictionary(let key, let value, let entries):
            try appendDictionary(key + value, entries, writer)
        }
    }

    private func appendDictionary(_ contents: String, _ entries: [Entry], _ writer: MessageWriter) throws(BusError) {
        try writer.beginArray("{" + contents + "}")
        for entry in entries {
            try writer.beginEntry(contents)
            try entry.key.appendContents(writer)
            try entry.value.appendContents(writer)
            try writer.end()
        }
        try writer.end()
    }
}

extension Variant: CustomStringConvertible {
    public var description: String {
        switch self {
        case .bool(let value): "\(value)"
        case .byte(let value): "\(value)"
        case .int16(let value): "\(value)"
        case .uint16(let value): "\(value)"
        case .int32(let value): "\(value)"
        case .uint32(let value): "\(value)"
        case .int64(let value): "\(value)"
        case .uint64(let value): "\(value)"
        case .double(let value): "\(value)"
        case .string(let value): "\"\(value)\""
        case .path(let value): value.description
        case .signature(let value): value.description
        case .descriptor(let value): "descriptor \(value.descriptor)"
        case .array(_, let elements): "[" + elements.map(\.description).joined(separator: ", ") + "]"
        case .structure(let members): "(" + members.map(\.description).joined(separator: ", ") + ")"
        case .dictionary(_, _, let entries): "{" + entries.map { "\($0.key): \($0.value)" }.joined(separator: ", ") + "}"
        case .variant(let value): "<\(value)>"
        }
    }
}
