// SPDX-License-Identifier: LGPL-2.1-or-later

/// The path of an object on a bus. Always valid.
public struct ObjectPath: DBusBasic, Comparable, CustomStringConvertible, ExpressibleByStringLiteral {
    public let description: String

    /// Nil unless `text` is a valid object path.
    public init?(_ text: String) {
        guard Self.isValid(text) else { return nil }
        description = text
    }

    /// A path written down in the source; a wrong one is a mistake of the programmer.
    public init(stringLiteral text: String) {
        precondition(Self.isValid(text), "\(text) is not an object path")
        description = text
    }

    init(unchecked text: String) { description = text }

    public static let root: ObjectPath = "/"

    static func isValid(_ text: String) -> Bool {
        guard text.utf8.first == UInt8(ascii: "/") else { return false }
        if text.utf8.count == 1 { return true }
        var previous = UInt8(0)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "/"): if previous == byte { return false }
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "_"):
                break
            default: return false
            }
            previous = byte
        }
        return previous != UInt8(ascii: "/")
    }

    /// The path one label below `prefix` for any text: what a path cannot hold is escaped as sd_bus_path_encode() does.
    public static func encode(_ prefix: ObjectPath, _ text: String) -> ObjectPath {
        ObjectPath(unchecked: (prefix == .root ? "/" : prefix.description + "/") + escape(text))
    }

    /// The text that `encode` made the label of `path` below `prefix` from; nil if `path` is not one label below it.
    public static func decode(_ path: ObjectPath, below prefix: ObjectPath) -> String? {
        guard path != .root, path.parent == prefix else { return nil }
        return unescape(path.lastLabel)
    }

    public func child(_ label: String) -> ObjectPath? { ObjectPath(self == .root ? "/" + label : description + "/" + label) }

    /// "" of the root.
    public var lastLabel: String {
        guard let slash = description.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
        return String(description[description.index(after: slash)...])
    }

    /// The root is its own parent.
    public var parent: ObjectPath {
        guard let slash = description.utf8.lastIndex(of: UInt8(ascii: "/")), slash > description.startIndex else { return .root }
        return ObjectPath(unchecked: String(description[..<slash]))
    }

    /// Whether this is `prefix` or lies anywhere below it.
    public func isWithin(_ prefix: ObjectPath) -> Bool {
        prefix == .root || self == prefix || description.utf8.starts(with: prefix.description.utf8 + [UInt8(ascii: "/")])
    }

    public static func < (left: ObjectPath, right: ObjectPath) -> Bool {
        left.description.utf8.lexicographicallyPrecedes(right.description.utf8)
    }

    private static let digits = Array("0123456789abcdef".utf8)

    private static func escape(_ text: String) -> String {
        if text.isEmpty { return "_" }
        var label: [UInt8] = []
        label.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            let isDigit = byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
            let isLetter = (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z")
            if isLetter || (isDigit && !label.isEmpty) {
                label.append(byte)
            } else {
                label += [UInt8(ascii: "_"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: label, as: UTF8.self)
    }

    private static func unescape(_ label: String) -> String? {
        if label == "_" { return "" }
        var bytes: [UInt8] = []
        var rest = Array(label.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "_") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(nibble), let low = rest.popFirst().flatMap(nibble) else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func nibble(_ digit: UInt8) -> UInt8? { digits.firstIndex(of: digit | 0x20).map { UInt8($0) } }
}
