// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern

/// A journal entry as text: lines `key=value`, an empty line at the end of what is there from the beginning, then a line for each note.
extension JournalEntry {
    enum Reading {
        case entry(JournalEntry)
        /// It ends before the empty line.
        case cutOff
        /// It is no such text.
        case broken
    }

    /// The entry's file.
    var text: String {
        let head = [
            ("operation", operation.rawValue), ("uid", String(uid)), ("start-time", String(startTime)), ("pool", pool), ("volume", volume),
        ]
        return head.map { Self.line($0.0, $0.1) }.joined() + "\n" + notes.map { Self.line("note", $0) }.joined()
    }

    /// One line. Line ends and backslashes in the value are escaped.
    static func line(_ key: String, _ value: String) -> String {
        var line = key + "="
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": line += "\\\\"
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            default: line.unicodeScalars.append(scalar)
            }
        }
        return line + "\n"
    }

    /// Reads an entry; a last line without its end was never written in full, and does not count.
    static func parse(_ bytes: [UInt8], id: UInt64) -> Reading {
        var head: [String: String] = [:]
        var notes: [String] = []
        var isHead = true
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast() {
            if line.isEmpty && isHead {
                isHead = false
                continue
            }
            guard let (key, value) = split(line) else { return .broken }
            if isHead {
                guard head.updateValue(value, forKey: key) == nil else { return .broken }
            } else {
                guard key == "note" else { return .broken }
                notes.append(value)
            }
        }
        if isHead { return .cutOff }
        return make(id, head, notes).map { .entry($0) } ?? .broken
    }

    private static func make(_ id: UInt64, _ head: [String: String], _ notes: [String]) -> JournalEntry? {
        guard let operation = head["operation"].flatMap(Operation.init(rawValue:)), let uid = head["uid"].flatMap({ UInt32($0) }),
            let startTime = head["start-time"].flatMap({ UInt64($0) }), let pool = head["pool"], let volume = head["volume"]
        else { return nil }
        return JournalEntry(id: id, operation: operation, uid: uid, startTime: startTime, pool: pool, volume: volume, notes: notes)
    }

    private static func split(_ line: ArraySlice<UInt8>) -> (key: String, value: String)? {
        guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { return nil }
        var value: [UInt8] = []
        var rest = line[(equals + 1)...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                value.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "\\"): value.append(byte)
            case UInt8(ascii: "n"): value.append(UInt8(ascii: "\n"))
            case UInt8(ascii: "r"): value.append(UInt8(ascii: "\r"))
            default: return nil
            }
        }
        guard let text = String(validating: value, as: UTF8.self) else { return nil }
        return (String(decoding: line[..<equals], as: UTF8.self), text)
    }
}
