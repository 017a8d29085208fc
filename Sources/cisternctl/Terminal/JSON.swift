// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus

/// D-Bus values as JSON: variants are unwrapped, an unknown size is null, a descriptor is null.
enum JSON {
    /// Properties of the objects as one array.
    static func text(of objects: [Object]) -> String { array(objects.map { text(of: $0.properties, $0.path) }) }

    /// The properties of one object, sorted, after its path as `Object`.
    static func text(of properties: Properties, _ path: ObjectPath) -> String {
        object([("Object", quoted(path.description))] + members(of: properties))
    }

    /// Sorted by key.
    static func members(of properties: Properties) -> [(key: String, value: String)] {
        properties.sorted { $0.key < $1.key }.map { ($0.key, text($0.value)) }
    }

    /// An object of keys as they are and values that are JSON already.
    static func object(_ members: [(key: String, value: String)]) -> String {
        "{" + members.map { "\(quoted($0.key)): \($0.value)" }.joined(separator: ", ") + "}"
    }

    /// One element a line.
    static func array(_ elements: [String]) -> String {
        "[" + elements.map { "\n  " + $0 }.joined(separator: ",") + (elements.isEmpty ? "]" : "\n]")
    }

    static func text(_ value: Variant) -> String {
        switch value {
        case .bool(let value): value ? "true" : "false"
        case .uint64(Sizes.unknown): "null"
        case .double(let value): value.isFinite ? "\(value)" : "null"
        case .string(let value): quoted(value)
        case .path(let value): quoted(value.description)
        case .signature(let value): quoted(value.description)
        case .descriptor: "null"
        case .array(_, let elements), .structure(let elements): "[" + elements.map { text($0) }.joined(separator: ", ") + "]"
        case .dictionary(_, _, let entries): object(entries.map { (key($0.key), text($0.value)) }.sorted { $0.0 < $1.0 })
        case .variant(let value): text(value)
        case .byte, .int16, .uint16, .int32, .uint32, .int64, .uint64: value.description
        }
    }

    /// Keys of JSON are strings, whatever they are on the bus.
    private static func key(_ value: Variant) -> String {
        switch value {
        case .string(let text): text
        case .path(let path): path.description
        default: text(value)
        }
    }

    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
