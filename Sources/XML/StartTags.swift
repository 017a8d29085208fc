// SPDX-License-Identifier: LGPL-2.1-or-later

/// Counts the attributes of start tags before libxml2 sees them: it compares each with all others of its tag, and hands them over when
/// it has them all, so that one tag of a megabyte would take it minutes.
struct StartTags {
    private let bytes: [UInt8]
    private var position = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Where the first start tag begins that has more than so many; nil if none has.
    ///
    /// Of a text that is not well-formed the answer may be wrong: libxml2 then ends where the first mistake is.
    static func firstWith(moreThan limit: Int, in bytes: [UInt8]) -> Int? {
        var tags = StartTags(bytes)
        while let start = tags.nextTag() {
            if tags.countAttributes(upTo: limit) > limit { return start }
        }
        return nil
    }

    /// Goes behind the next `<` that begins a start or end tag.
    private mutating func nextTag() -> Int? {
        while let start = find("<") {
            position = start + 1
            if starts(with: "!--") {
                skip(past: "-->")
            } else if starts(with: "![CDATA[") {
                skip(past: "]]>")
            } else if starts(with: "?") {
                skip(past: "?>")
            } else {
                return start
            }
        }
        return nil
    }

    /// Goes behind the tag's `>`, or to where the limit is passed. Each attribute has one `=` outside of quotes.
    private mutating func countAttributes(upTo limit: Int) -> Int {
        var count = 0
        while position < bytes.count, count <= limit {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "="): count += 1
            case UInt8(ascii: "\""), UInt8(ascii: "'"): position = (bytes[position...].firstIndex(of: byte) ?? bytes.count - 1) + 1
            case UInt8(ascii: ">"): return count
            default: break
            }
        }
        return count
    }

    private func find(_ character: Unicode.Scalar) -> Int? { bytes[position...].firstIndex(of: UInt8(ascii: character)) }

    private func starts(with text: String) -> Bool { bytes[position...].starts(with: text.utf8) }

    /// Goes behind the end of what is no element, or to the end of all.
    private mutating func skip(past end: String) {
        while let candidate = find(">") {
            position = candidate + 1
            if bytes[..<position].suffix(end.utf8.count).elementsEqual(end.utf8) { return }
        }
        position = bytes.count
    }
}
