// SPDX-License-Identifier: LGPL-2.1-or-later

/// Numbers and marks in the bytes of a header. Bytes past the end read as zero, so that no offset, wherever it came from, can trap;
/// a parser checks the length it needs once, first.
extension Span where Element == UInt8 {
    func byte(_ offset: Int) -> UInt8 { offset >= 0 && offset < count ? self[offset] : 0 }

    func be16(_ offset: Int) -> UInt16 { UInt16(byte(offset)) << 8 | UInt16(byte(offset &+ 1)) }
    func le16(_ offset: Int) -> UInt16 { be16(offset).byteSwapped }

    func be32(_ offset: Int) -> UInt32 {
        guard offset >= 0, offset <= count - 4 else { return UInt32(be16(offset)) << 16 | UInt32(be16(offset &+ 2)) }
        return UInt32(self[offset]) << 24 | UInt32(self[offset + 1]) << 16 | UInt32(self[offset + 2]) << 8 | UInt32(self[offset + 3])
    }
    func le32(_ offset: Int) -> UInt32 { be32(offset).byteSwapped }

    func be64(_ offset: Int) -> UInt64 { UInt64(be32(offset)) << 32 | UInt64(be32(offset &+ 4)) }
    func le64(_ offset: Int) -> UInt64 { be64(offset).byteSwapped }

    /// Whether a text stands at an offset.
    func holds(_ text: String, at offset: Int = 0) -> Bool {
        var position = offset
        for expected in text.utf8 {
            guard position >= 0, position < count, self[position] == expected else { return false }
            position += 1
        }
        return true
    }

    /// Whether all bytes of a range are zero.
    func isZero(_ range: Range<Int>) -> Bool {
        for offset in range where byte(offset) != 0 { return false }
        return true
    }

    /// The text in a range of bytes, which may reach past the end only to be cut there; nil if it is no UTF-8 or contains a NUL.
    func text(_ range: Range<Int>) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        for offset in range.clamped(to: 0..<count) {
            guard self[offset] != 0 else { return nil }
            bytes.append(self[offset])
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Text of UTF-16 code units, up to a range's end or its first NUL; nil if it is none.
    func utf16(_ range: Range<Int>, bigEndian: Bool) -> String? {
        var units: [UInt16] = []
        for offset in stride(from: range.lowerBound, to: range.upperBound - 1, by: 2) {
            let unit = bigEndian ? be16(offset) : le16(offset)
            if unit == 0 { break }
            units.append(unit)
        }
        return String(validating: units, as: UTF16.self)
    }
}

/// The longest name that a header may contain, in bytes (QEMU docs/interop/qcow2.txt, "Header": backing file name).
let longestName = 1023

/// A name of so many bytes somewhere in the file, from its first bytes if they contain it.
///
/// - Parameter what: the thing named, for the flaw's clause.
func name(_ what: String, at offset: UInt64, count: UInt64, _ header: Span<UInt8>, _ more: Reader) throws(Flaw) -> String {
    guard count <= longestName else { throw Flaw("its \(what)'s name of \(count) bytes is too long") }
    let (end, overflow) = offset.addingReportingOverflow(count)
    guard !overflow else { throw Flaw("its \(what)'s name lies beyond its end") }
    let text: String?
    if end <= UInt64(header.count) {
        text = header.text(Int(offset)..<Int(end))
    } else {
        let bytes = try more(offset, max(1, Int(count)))
        guard bytes.count >= Int(count) else { throw Flaw("its \(what)'s name lies beyond its end") }
        text = bytes.span.text(0..<Int(count))
    }
    guard let text else { throw Flaw("its \(what)'s name is not valid UTF-8") }
    return text
}

/// Fails if something that a header points to does not lie in the file; a last sector that is not whole counts as one.
func require(_ what: String, at offset: UInt64, count: UInt64, within length: UInt64) throws(Flaw) {
    let (end, overflow) = offset.addingReportingOverflow(count)
    let (padded, high) = length.addingReportingOverflow(511)
    guard !overflow, high || end <= padded & ~511 else { throw Flaw("it is truncated: its \(what) lies beyond its end") }
}

/// Bytes in a number of sectors of 512 bytes.
func bytes(sectors: UInt64) throws(Flaw) -> UInt64 {
    guard sectors <= UInt64(Int64.max) / 512 else { throw Flaw("its size of \(sectors) sectors is out of range") }
    return sectors * 512
}

func isPowerOfTwo(_ value: some FixedWidthInteger & UnsignedInteger) -> Bool { value.nonzeroBitCount == 1 }
