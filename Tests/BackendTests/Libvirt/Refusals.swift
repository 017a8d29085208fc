// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import Testing

/// What Cistern refuses though libvirt's schema allows it: words of the message, and why.
struct Refusals {
    private let rows: [String: String]
    private var seen: Set<String> = []

    /// Records an issue for each document that is refused but by name and line, and for rows that none was refused by.
    static func check<Parsed>(_ rows: [String: String], against outcomes: [(text: String, outcome: Result<Parsed, StorageError>)]) {
        var refusals = Refusals(rows: rows)
        for (text, outcome) in outcomes {
            guard case .failure(let error) = outcome, let problem = refusals.problem(with: error, text) else { continue }
            Issue.record("“\(error.message)”: \(problem)\n\(text)")
        }
        #expect(rows.keys.filter { !refusals.seen.contains($0) }.isEmpty, "nothing is refused by these")
    }

    /// What is wrong with a refusal of that document; nil if nothing is.
    private mutating func problem(with error: StorageError, _ document: String) -> String? {
        let matching = rows.keys.filter(error.message.contains)
        seen.formUnion(matching)
        if matching.count != 1 { return "\(matching.count) rows of the table speak of it" }
        if error.code != .invalidXML { return "its code is \(error.code.rawValue)" }
        guard let line = Self.line(error.message, of: document) else { return "it names no line of the document" }
        // What is missing is in no line.
        if error.message.contains(" is missing") { return nil }
        let isNamed = Self.names(error.message).contains { line.contains("<\($0)") || line.contains(":\($0)") || line.contains(" \($0)=") }
        return isNamed ? nil : "it names nothing that is in its line, \(line)"
    }

    /// The line that the message names.
    private static func line(_ message: String, of document: String) -> Substring? {
        guard let word = message.firstRange(of: "line "), let number = Int(message[word.upperBound...].prefix { $0.isNumber }) else {
            return nil
        }
        let lines = document.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.indices.contains(number - 1) ? lines[number - 1] : nil
    }

    /// The last steps of what may be paths of elements and attributes.
    private static func names(_ message: String) -> [Substring] {
        message.split { " ,;“”".contains($0) }.compactMap { word in
            word.split { "/@:{}".contains($0) }.last.map { $0.last == "." ? $0.dropLast() : $0 }
        }
    }
}
