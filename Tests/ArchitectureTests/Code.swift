// SPDX-License-Identifier: LGPL-2.1-or-later

/// Swift text with comments and string literals blanked, line by line: what is left is code.
///
/// Good enough for rules about words: an interpolation inside a string is blanked with it.
func codeLines(_ text: String) -> [String] {
    var scanner = Scanner(bytes: Array(text.utf8))
    return scanner.run().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
}

private struct Scanner {
    let bytes: [UInt8]
    var position = 0
    var output: [UInt8] = []

    init(bytes: [UInt8]) {
        self.bytes = bytes
        output.reserveCapacity(bytes.count)
    }

    mutating func run() -> [UInt8] {
        while position < bytes.count {
            if looking(at: "//") {
                skip { $0.looking(at: "\n") }
            } else if looking(at: "/*") {
                blockComment()
            } else if let hashes = openingHashes() {
                string(hashes: hashes)
            } else {
                output.append(bytes[position])
                position += 1
            }
        }
        return output
    }

    func looking(at word: String) -> Bool { bytes[position...].starts(with: word.utf8) }

    /// How many `#` open a string literal here; nil when none begins.
    private func openingHashes() -> Int? {
        var end = position
        while end < bytes.count, bytes[end] == UInt8(ascii: "#") { end += 1 }
        return end < bytes.count && bytes[end] == UInt8(ascii: "\"") ? end - position : nil
    }

    /// Drops one byte, keeping line ends.
    private mutating func drop() {
        if bytes[position] == UInt8(ascii: "\n") { output.append(bytes[position]) }
        position += 1
    }

    private mutating func skip(until end: (Scanner) -> Bool) {
        while position < bytes.count, !end(self) { drop() }
    }

    private mutating func skip(_ count: Int) {
        for _ in 0..<count where position < bytes.count { drop() }
    }

    private mutating func blockComment() {
        var depth = 0
        repeat {
            if looking(at: "/*") {
                depth += 1
                skip(2)
            } else if looking(at: "*/") {
                depth -= 1
                skip(2)
            } else {
                skip(1)
            }
        } while depth > 0 && position < bytes.count
    }

    private mutating func string(hashes: Int) {
        let fence = String(repeating: "#", count: hashes)
        skip(hashes)
        let quote = looking(at: "\"\"\"") ? "\"\"\"" : "\""
        skip(quote.utf8.count)
        while position < bytes.count, !looking(at: quote + fence) {
            if quote == "\"", looking(at: "\n") { break }
            skip(looking(at: "\\" + fence) ? 2 + hashes : 1)
        }
        skip(looking(at: "\n") ? 0 : quote.utf8.count + hashes)
        output.append(contentsOf: Array("\"\"".utf8))
    }
}

/// Whether a line holds a word, not as part of a longer identifier.
func holds(_ line: String, word: String) -> Bool {
    var rest = line[...]
    while let range = rest.firstRange(of: word) {
        let before = rest[..<range.lowerBound].last ?? line[..<range.lowerBound].last
        let after = rest[range.upperBound...].first
        let opens = word.first?.isIdentifierPart == true && before?.isIdentifierPart == true
        let goesOn = word.last?.isIdentifierPart == true && after?.isIdentifierPart == true
        if !opens && !goesOn { return true }
        rest = rest[range.upperBound...]
    }
    return false
}

extension Character {
    var isIdentifierPart: Bool { isLetter || isNumber || self == "_" }
}
