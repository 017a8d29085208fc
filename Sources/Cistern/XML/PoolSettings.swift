// SPDX-License-Identifier: LGPL-2.1-or-later

/// Where a setting is in a pool's XML. A new pool type adds rows to ``SettingRow/all``; nothing else.
struct SettingRow: Sendable {
    let key: String
    /// Below the root, as in ``Shape``.
    let path: String
    /// The pool types that have it; nil is all.
    var types: Set<String>?
    let form: Form

    /// How a setting is written, for one D-Bus type.
    enum Form: Sendable {
        /// Text as it is, not empty.
        case text
        /// Permission bits in octal.
        case octal
        /// A user or group; -1 says nothing.
        case id
        /// One element for each text.
        case texts
    }

    /// In the order in which they are printed.
    static let all = [
        SettingRow(key: "target.path", path: "target/path", form: .text),
        SettingRow(key: "target.mode", path: "target/permissions/mode", form: .octal),
        SettingRow(key: "target.owner", path: "target/permissions/owner", form: .id),
        SettingRow(key: "target.group", path: "target/permissions/group", form: .id),
        SettingRow(key: "volume.format", path: "cistern:volume-format", form: .text),
    ]

    /// The rows of one pool type.
    static func rows(of type: String) -> [SettingRow] { all.filter { $0.types?.contains(type) ?? true } }

    /// The value that the texts at the row's path stand for; nil if they say nothing.
    func value(_ texts: [Flattened.Text]) throws(StorageError) -> Value? {
        guard let first = texts.first else { return nil }
        switch form {
        case .texts: return .strings(texts.map(\.value))
        case .text:
            if first.value.isBlank { throw refusal(first, "text") }
            return .string(first.value)
        case .octal: return .uint32(try Permissions.octal(first, path))
        case .id: return try Permissions.id(first, path).map { .uint32($0) }
        }
    }

    /// The texts that stand for a value; nil if they cannot.
    func texts(_ value: Value) -> [String]? {
        switch (form, value) {
        case (.text, .string(let text)) where !text.isBlank && text.isPlain: [text]
        case (.octal, .uint32(let bits)) where bits <= 0o777: [Permissions.octal(bits)]
        case (.id, .uint32(let id)) where id < .max: [String(id)]
        case (.texts, .strings(let texts)) where !texts.isEmpty && texts.allSatisfy(\.isPlain): texts
        default: nil
        }
    }

    private func refusal(_ text: Flattened.Text, _ expected: String) -> StorageError {
        Flattened.invalid(text.line, "\(path) is “\(text.value.trimmed)”, but \(expected) is needed")
    }
}

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
