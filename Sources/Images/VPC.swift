// SPDX-License-Identifier: LGPL-2.1-or-later

/// Virtual PC and Hyper-V disk (VHD): Microsoft Virtual Hard Disk Image Format Specification 1.0, sections "Hard Disk Footer Format"
/// and "Dynamic Disk Header Format"; all numbers are big-endian.
///
/// A dynamic disk begins with a copy of its footer. A fixed disk is plain data with the footer behind it.
enum VPC {
    /// "Cookie" at offset 0 of the footer.
    static let cookie = "conectix"
    static let magic: UInt32 = 0x636f_6e65
    private static let footerSize = 512
    /// Of the dynamic disk header.
    private static let dynamicSize = 1024
    /// 65535 cylinders, 16 heads, 255 sectors: the appendix "CHS Calculation" cuts larger disks to this.
    private static let largestGeometry: UInt64 = 65535 * 16 * 255
    /// 2040 GiB: what a block allocation table of 32-bit sector numbers can map.
    private static let mostSectors: UInt64 = 0xff00_0000

    static func parse(_ header: Span<UInt8>, _ length: UInt64, into image: inout ImageHeader, _ more: Reader) throws(Flaw) {
        if header.holds(cookie) {
            guard header.be32(60) != 2 else { throw Flaw("it begins with the footer of a fixed disk") }
            return try parse(footer: header, header, length, into: &image, more)
        }
        guard length >= footerSize else { throw .alien("vpc") }
        let footer = try more(length - UInt64(footerSize), footerSize)
        guard footer.span.holds(cookie) else { throw .alien("vpc") }
        try parse(footer: footer.span, header, length, into: &image, more)
    }

    private static func parse(
        footer: Span<UInt8>, _ header: Span<UInt8>, _ length: UInt64, into image: inout ImageHeader, _ more: Reader
    ) throws(Flaw) {
        guard footer.count >= footerSize else { throw .truncated }
        guard checksum(footer) == footer.be32(64) else { throw Flaw("its footer's checksum is wrong") }
        let sectors = sectors(footer)
        guard sectors <= mostSectors else { throw Flaw("its size of \(sectors) sectors is out of range") }
        // Offset 60, "Disk Type": 2 fixed, 3 dynamic, 4 differencing.
        switch footer.be32(60) {
        case 2: image.note("subformat", .string("fixed"))
        case 3:
            image.note("subformat", .string("dynamic"))
            try readDynamic(footer, header, length, sectors, into: &image, more)
        case 4:
            image.note("subformat", .string("differencing"))
            try readDynamic(footer, header, length, sectors, into: &image, more)
        case let type: throw Flaw("its disk type \(type) is unknown")
        }
        image.capacity = sectors * 512
    }

    /// Offset 64, "Checksum": the complement of the sum of the footer's other bytes.
    private static func checksum(_ footer: Span<UInt8>) -> UInt32 {
        var sum: UInt32 = 0
        for offset in 0..<footerSize where !(64..<68).contains(offset) { sum &+= UInt32(footer[offset]) }
        return ~sum
    }

    /// Offset 48, "Current Size" in bytes; offset 56, "Disk Geometry": cylinders (2 bytes), heads, sectors per track.
    ///
    /// Virtual PC and the writers that imitate it show a guest the geometry's product; Hyper-V and its kin show the current size. Offset
    /// 28, "Creator Application", tells them apart (QEMU block/vpc.c keeps the list); the largest geometry is a cut one, never a size.
    private static func sectors(_ footer: Span<UInt8>) -> UInt64 {
        let geometry = UInt64(footer.be16(56)) * UInt64(footer.byte(58)) * UInt64(footer.byte(59))
        if geometry == largestGeometry { return footer.be64(48) / 512 }
        switch footer.be32(28) {
        case 0x7769_6e20, 0x7165_6d32, 0x6432_7620, 0x4354_5853, 0x7461_7000, 0x7761_0000:  // win, qem2, d2v, CTXS, tap, wa
            return footer.be64(48) / 512
        default: return geometry
        }
    }

    /// Offset 16 of the footer, "Data Offset": where the dynamic disk header is.
    private static func readDynamic(
        _ footer: Span<UInt8>, _ header: Span<UInt8>, _ length: UInt64, _ sectors: UInt64, into image: inout ImageHeader, _ more: Reader
    ) throws(Flaw) {
        let offset = footer.be64(16)
        if offset <= UInt64(header.count), header.count - Int(offset) >= dynamicSize {
            return try readDynamic(header.extracting(Int(offset)..<Int(offset) + dynamicSize), length, sectors, into: &image)
        }
        guard offset <= length else { throw .truncated }
        let bytes = try more(offset, dynamicSize)
        guard bytes.count >= dynamicSize else { throw .truncated }
        try readDynamic(bytes.span, length, sectors, into: &image)
    }

    /// Offsets in the dynamic disk header: 0 "Cookie", 16 "Table Offset", 28 "Max Table Entries", 32 "Block Size", 64 "Parent Unicode
    /// Name" (512 bytes of UTF-16, of a differencing disk).
    private static func readDynamic(
        _ dynamic: Span<UInt8>, _ length: UInt64, _ sectors: UInt64, into image: inout ImageHeader
    ) throws(Flaw) {
        guard dynamic.holds("cxsparse") else { throw Flaw("its dynamic disk header is damaged") }
        let block = dynamic.be32(32)
        guard isPowerOfTwo(block), block >= 512 else { throw .range("block size", block) }
        image.clusterSize = UInt64(block)
        let entries = UInt64(dynamic.be32(28))
        guard entries * UInt64(block) >= sectors * 512 else {
            throw Flaw("its block table of \(entries) entries is too short for its size of \(sectors * 512) bytes")
        }
        try require("block table", at: dynamic.be64(16), count: entries * 4, within: length)
        if image["subformat"] == .string("differencing") {
            guard let file = dynamic.utf16(64..<576, bigEndian: true), !file.isEmpty else { throw Flaw("it does not name its parent") }
            image.backing = ImageHeader.Backing(file: file, format: "vpc")
            image.note("backing-format", .string("vpc"))
        }
    }
}
