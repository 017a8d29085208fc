// SPDX-License-Identifier: LGPL-2.1-or-later

/// The text that describes a VMware disk: VMware "Virtual Disk Format 5.0", section "The Descriptor File". Lines of `key=value`,
/// comments that begin with `#`, and a line for each extent: `RW 4192256 SPARSE "disk-s001.vmdk"`.
struct VMDKDescriptor {
    /// `createType`.
    private(set) var type = ""
    /// `parentFileNameHint`, which only a disk with a parent has.
    private(set) var parent: String?
    /// Sum of the extents' sizes.
    private(set) var sectors: UInt64 = 0
    /// Names of the extents' files, in order; an extent of zeros has none.
    private(set) var extents: [String] = []
    private(set) var hasExtents = false

    /// Whether a file begins like a descriptor: after comments and empty lines, which one of them must be unless it comes first, with
    /// the version, as QEMU's probe wants it.
    static func begins(_ header: Span<UInt8>) -> Bool {
        var offset = 0
        while offset < header.count {
            switch header[offset] {
            case UInt8(ascii: "#"):
                while offset < header.count, header[offset] != newline { offset += 1 }
                offset += 1
            case space:
                while offset < header.count, header[offset] == space { offset += 1 }
                if header.byte(offset) == carriageReturn { offset += 1 }
                guard header.byte(offset) == newline else { return false }
                offset += 1
            case UInt8(ascii: "v"):
                guard header.holds("version=", at: offset), (49...51).contains(header.byte(offset + 8)) else { return false }
                return header.holds("\n", at: offset + 9) || header.holds("\r\n", at: offset + 9)
            default: return false
            }
        }
        return false
    }

    init(_ text: Span<UInt8>) throws(Flaw) {
        var start = 0
        while start < text.count {
            var end = start
            while end < text.count, text[end] != newline { end += 1 }
            try read(text, start..<end)
            start = end + 1
        }
    }

    private mutating func read(_ text: Span<UInt8>, _ line: Range<Int>) throws(Flaw) {
        let line = trimmed(text, line)
        guard !line.isEmpty, text[line.lowerBound] != UInt8(ascii: "#") else { return }
        if isExtent(text, line) { return try readExtent(text, line) }
        guard let equals = line.first(where: { text[$0] == UInt8(ascii: "=") }) else { return }
        let key = trimmed(text, line.lowerBound..<equals)
        let value = unquoted(text, trimmed(text, equals + 1..<line.upperBound))
        if matches(text, key, "createtype") {
            guard value.count < 64, let value = text.text(value) else { throw Flaw("its type is no name") }
            type = value
        } else if matches(text, key, "parentfilenamehint") {
            guard value.count <= longestName else { throw Flaw("its backing file's name of \(value.count) bytes is too long") }
            guard let value = text.text(value) else { throw Flaw("its backing file's name is not valid UTF-8") }
            if !value.isEmpty { parent = value }
        }
    }

    private func isExtent(_ text: Span<UInt8>, _ line: Range<Int>) -> Bool {
        var rest = line
        let access = word(text, &rest)
        return !rest.isEmpty && (matches(text, access, "rw") || matches(text, access, "rdonly") || matches(text, access, "noaccess"))
    }

    /// Access, size in sectors, type, then the file's name in quotes, which only an extent of zeros does without, and, for flat extents,
    /// an offset in it.
    private mutating func readExtent(_ text: Span<UInt8>, _ line: Range<Int>) throws(Flaw) {
        var rest = line
        _ = word(text, &rest)
        guard let count = number(text, word(text, &rest)) else { throw Flaw("its descriptor has an extent of no valid size") }
        let (sum, overflow) = sectors.addingReportingOverflow(count)
        guard !overflow else { throw Flaw("its size is out of range") }
        sectors = sum
        hasExtents = true
        if matches(text, word(text, &rest), "zero") { return }
        guard let open = rest.first, text[open] == quote, let close = rest.dropFirst().first(where: { text[$0] == quote }) else {
            throw Flaw("its descriptor has an extent whose name is missing or does not end")
        }
        guard close - open <= longestName, let name = text.text(open + 1..<close), !name.isEmpty else {
            throw Flaw("its descriptor has an extent whose name is not valid")
        }
        extents.append(name)
    }
}

private let newline: UInt8 = 10
private let carriageReturn: UInt8 = 13
private let tab: UInt8 = 9
private let space: UInt8 = 32
private let quote: UInt8 = 34

private func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab || byte == carriageReturn }

/// A range without the blanks at both ends.
private func trimmed(_ text: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
    var (start, end) = (range.lowerBound, range.upperBound)
    while start < end, isBlank(text[start]) { start += 1 }
    while start < end, isBlank(text[end - 1]) { end -= 1 }
    return start..<end
}

/// A range without the quotes around it.
private func unquoted(_ text: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
    guard range.count >= 2, text[range.lowerBound] == quote, text[range.upperBound - 1] == quote else { return range }
    return range.lowerBound + 1..<range.upperBound - 1
}

/// Takes the first word off a range, and the blanks behind it.
private func word(_ text: Span<UInt8>, _ rest: inout Range<Int>) -> Range<Int> {
    var end = rest.lowerBound
    while end < rest.upperBound, !isBlank(text[end]) { end += 1 }
    let word = rest.lowerBound..<end
    rest = trimmed(text, end..<rest.upperBound)
    return word
}

/// Whether a range is a word, whatever the case of its letters.
private func matches(_ text: Span<UInt8>, _ range: Range<Int>, _ lowercase: String) -> Bool {
    guard range.count == lowercase.utf8.count else { return false }
    return zip(range, lowercase.utf8).allSatisfy { text[$0] | 0x20 == $1 }
}

private func number(_ text: Span<UInt8>, _ range: Range<Int>) -> UInt64? {
    guard !range.isEmpty else { return nil }
    var value: UInt64 = 0
    for offset in range {
        guard (48...57).contains(text[offset]) else { return nil }
        let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = tens.addingReportingOverflow(UInt64(text[offset] - 48))
        guard !overflow, !carry else { return nil }
        value = sum
    }
    return value
}
