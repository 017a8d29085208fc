// SPDX-License-Identifier: LGPL-2.1-or-later

/// Walks through JSON text without building anything: just enough to find a few strings in nested objects. Every step moves on or
/// breaks off, so that no text keeps it busy for longer than it has bytes.
struct JSONScanner {
    private let bytes: [UInt8]
    private var position = 0
    /// The text ended early or is no JSON.
    private(set) var isBroken = false

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Steps into an object, if one begins here.
    mutating func beginObject() -> Bool { take(UInt8(ascii: "{")) }

    /// The next key of the object that was stepped into; nil behind its end, and where the text is broken.
    mutating func nextKey() -> String? {
        if isBroken { return nil }
        _ = take(UInt8(ascii: ","))
        if take(UInt8(ascii: "}")) { return nil }
        guard let key = string(), take(UInt8(ascii: ":")) else {
            isBroken = true
            return nil
        }
        return key
    }

    /// A string without escapes of at most 64 bytes; others are skipped and read as "?".
    mutating func string() -> String? {
        guard let range = skipString() else { return nil }
        if range.count > 64 || bytes[range].contains(UInt8(ascii: "\\")) { return "?" }
        return String(validating: bytes[range], as: UTF8.self)
    }

    /// Steps over a value of any kind.
    mutating func skipValue() -> Bool {
        var depth = 0
        repeat {
            skipBlanks()
            guard position < bytes.count, bytes[position] != 0 else { return fail() }
            switch bytes[position] {
            case UInt8(ascii: "\""):
                guard skipString() != nil else { return fail() }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                position += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                position += 1
                if depth < 0 { return fail() }
            case UInt8(ascii: ","), UInt8(ascii: ":"):
                if depth == 0 { return fail() }
                position += 1
            default: skipWord()
            }
        } while depth > 0
        return true
    }

    /// Steps over a value and tells whether its text contains another.
    mutating func value(mentions text: String) -> Bool {
        let start = position
        guard skipValue() else { return false }
        let wanted = Array(text.utf8)
        return (start..<max(start, position - wanted.count)).contains { bytes[$0..<$0 + wanted.count].elementsEqual(wanted) }
    }

    /// A number, `true`, `false` or `null`.
    private mutating func skipWord() {
        let start = position
        while position < bytes.count, isWord(bytes[position]) { position += 1 }
        if position == start { position = bytes.count }
    }

    private func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122, UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."): true
        default: false
        }
    }

    /// The range between the quotes.
    private mutating func skipString() -> Range<Int>? {
        guard take(UInt8(ascii: "\"")) else { return nil }
        let start = position
        while position < bytes.count, bytes[position] != 0 {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position += 1
                return start..<position - 1
            case UInt8(ascii: "\\"): position += 2
            default: position += 1
            }
        }
        _ = fail()
        return nil
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipBlanks()
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipBlanks() {
        while position < bytes.count, [9, 10, 13, 32].contains(bytes[position]) { position += 1 }
    }

    private mutating func fail() -> Bool {
        isBroken = true
        position = bytes.count
        return false
    }
}
