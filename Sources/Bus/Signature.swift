// SPDX-License-Identifier: LGPL-2.1-or-later

/// A D-Bus type signature: any number of complete types, one after the other. Always valid.
public struct Signature: DBusBasic, CustomStringConvertible {
    public let description: String

    /// Nil unless `text` is a valid signature.
    public init?(_ text: String) {
        guard Self.split(text) != nil else { return nil }
        description = text
    }

    init(unchecked text: String) { description = text }

    /// The complete types, in order.
    public var types: [String] { Self.split(description) ?? [] }

    /// The complete types in `text`; nil if it is not a signature.
    static func split(_ text: String) -> [String]? {
        let bytes = Array(text.utf8)
        guard bytes.count <= 255 else { return nil }
        var types: [String] = []
        var position = 0
        while position < bytes.count {
            guard let end = endOfType(bytes, from: position, depth: 0) else { return nil }
            types.append(String(decoding: bytes[position..<end], as: UTF8.self))
            position = end
        }
        return types
    }

    private static let basics = Set("ybnqiuxtdsogh".utf8)
    private static let deepest = 32

    /// Where the complete type that begins at `start` ends.
    private static func endOfType(_ bytes: [UInt8], from start: Int, depth: Int) -> Int? {
        guard start < bytes.count, depth <= 2 * deepest else { return nil }
        switch bytes[start] {
        case UInt8(ascii: "v"): return start + 1
        case UInt8(ascii: "("): return endOfStructure(bytes, from: start + 1, depth: depth + 1)
        case UInt8(ascii: "a"):
            guard start + 1 < bytes.count, bytes[start + 1] == UInt8(ascii: "{") else {
                return endOfType(bytes, from: start + 1, depth: depth + 1)
            }
            guard start + 2 < bytes.count, basics.contains(bytes[start + 2]),
                let end = endOfType(bytes, from: start + 3, depth: depth + 2), end < bytes.count, bytes[end] == UInt8(ascii: "}")
            else { return nil }
            return end + 1
        case let byte: return basics.contains(byte) ? start + 1 : nil
        }
    }

    private static func endOfStructure(_ bytes: [UInt8], from start: Int, depth: Int) -> Int? {
        var position = start
        while position < bytes.count, bytes[position] != UInt8(ascii: ")") {
            guard let end = endOfType(bytes, from: position, depth: depth) else { return nil }
            position = end
        }
        return position < bytes.count && position > start ? position + 1 : nil
    }
}

/// The signature of several types, one after the other.
func joinedSignature<each T: DBusType>(_: repeat (each T).Type) -> String {
    var text = ""
    repeat text += (each T).signature
    return text
}
