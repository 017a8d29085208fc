// SPDX-License-Identifier: LGPL-2.1-or-later

extension Permissions {
    /// Reads permission bits as they are written in XML.
    static func octal(_ text: Flattened.Text, _ path: String) throws(StorageError) -> UInt32 {
        let digits = text.value.trimmed
        guard digits.allSatisfy(\.isOctal), let bits = UInt32(digits, radix: 8), bits <= 0o777 else {
            throw Flattened.invalid(text.line, "\(path) is “\(digits)”, but octal permission bits from 0 to 0777 are needed")
        }
        return bits
    }

    /// Four digits.
    static func octal(_ bits: UInt32) -> String {
        let digits = String(bits, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// Reads a user or group id; nil for -1.
    static func id(_ text: Flattened.Text, _ path: String) throws(StorageError) -> UInt32? {
        let digits = text.value.trimmed
        if digits == "-1" { return nil }
        guard digits.allSatisfy(\.isDecimal), let id = UInt32(digits), id < .max else {
            throw Flattened.invalid(text.line, "\(path) is “\(digits)”, but a numeric id, or -1 for none, is needed")
        }
        return id
    }
}

extension Character {
    var isOctal: Bool { self >= "0" && self <= "7" }
    var isDecimal: Bool { self >= "0" && self <= "9" }
}

extension String {
    /// Whether XML can hold it.
    var isPlain: Bool {
        unicodeScalars.allSatisfy { scalar in
            switch scalar.value {
            case 0..<9, 11, 12, 14..<32, 0xFFFE, 0xFFFF: false
            default: true
            }
        }
    }
}

/// The UUID in lower case with hyphens; nil if the text is none.
func canonicalUUID(_ text: String) -> String? {
    let digits = text.utf8.filter { $0 != UInt8(ascii: "-") }
    let isHex = digits.allSatisfy { UInt8(String(decoding: [$0], as: UTF8.self), radix: 16) != nil }
    guard digits.count == 32, isHex else { return nil }
    var uuid = ""
    for (index, digit) in String(decoding: digits, as: UTF8.self).lowercased().enumerated() {
        if [8, 12, 16, 20].contains(index) { uuid += "-" }
        uuid.append(digit)
    }
    return uuid
}

/// The same for a text of a document.
func canonicalUUID(_ text: Flattened.Text, _ path: String) throws(StorageError) -> String {
    if let uuid = canonicalUUID(text.value.trimmed) { return uuid }
    throw Flattened.invalid(text.line, "\(path) is “\(text.value.trimmed)”, which is no UUID; give 32 hexadecimal digits")
}
