// SPDX-License-Identifier: LGPL-2.1-or-later

/// VMware disk: VMware "Virtual Disk Format 5.0" (technical note of 2011), sections "Hosted Sparse Extents" (`SparseExtentHeader`),
/// "ESX Server Sparse Extents" (`COWDisk_Header`) and "The Descriptor File"; all numbers are little-endian.
///
/// A file is a sparse extent, alone (with its descriptor inside) or one of several, or the text that describes extents in other files.
enum VMDK {
    /// "KDMV", the `magicNumber` of hosted sparse extents.
    static let sparseMagic: UInt32 = 0x4b44_4d56
    /// "COWD", of those that ESX writes.
    static let cowdMagic: UInt32 = 0x434f_5744

    static func parse(
        _ header: Span<UInt8>, _ length: UInt64, _ name: String, into image: inout ImageHeader, _ more: Reader
    ) throws(Flaw) {
        switch header.be32(0) {
        case sparseMagic: try parseSparse(header, length, into: &image, more)
        case cowdMagic: try parseCOWD(header, into: &image)
        default: try parseText(header, length, name, into: &image, more)
        }
    }

    private static func parseSparse(
        _ header: Span<UInt8>, _ length: UInt64, into image: inout ImageHeader, _ more: Reader
    ) throws(Flaw) {
        guard header.count >= 512 else { throw .truncated }
        // Offset 4: version. Offset 77: compression, 1 for deflate, which only stream-optimized disks have.
        guard (1...3).contains(header.le32(4)) else { throw Flaw("its version \(header.le32(4)) is unknown") }
        image.note("subformat", .string(header.le16(77) == 1 ? "streamOptimized" : "monolithicSparse"))
        // Offset 20: grain size in sectors. Offset 44: entries in a grain table. Offset 64: sectors before the first grain.
        let grain = header.le64(20)
        guard isPowerOfTwo(grain), grain <= 1 << 21 else { throw .range("grain size in sectors", grain) }
        guard (1...512).contains(header.le32(44)) else { throw .range("table size", header.le32(44)) }
        image.clusterSize = grain * 512
        guard header.le64(64) <= length / 512 + 1 else { throw Flaw("it is truncated: its first grain lies beyond its end") }
        // Offset 28 and 36: where the embedded descriptor is and how long, in sectors.
        let place = header.le64(28)
        if place > 0, let parent = try embedded(header, place, header.le64(36), more).parent { inherit(parent, into: &image) }
        // Offset 12: capacity in sectors; the grain directory for it has, by what every reader accepts, at most 2^25 entries.
        guard header.le64(12) / (grain * UInt64(header.le32(44))) <= 32 << 20 else { throw .range("size in sectors", header.le64(12)) }
        image.capacity = try bytes(sectors: header.le64(12))
    }

    /// Offset 12: number of sectors. Offset 16: granularity in sectors. The descriptor of such extents is a file of its own.
    private static func parseCOWD(_ header: Span<UInt8>, into image: inout ImageHeader) throws(Flaw) {
        guard header.count >= 512 else { throw .truncated }
        image.note("subformat", .string("vmfsSparse"))
        let grain = header.le32(16)
        guard grain > 0, grain <= 1 << 21 else { throw .range("grain size in sectors", grain) }
        image.clusterSize = UInt64(grain) * 512
        image.capacity = UInt64(header.le32(12)) * 512
    }

    private static func parseText(
        _ header: Span<UInt8>, _ length: UInt64, _ name: String, into image: inout ImageHeader, _ more: Reader
    ) throws(Flaw) {
        guard VMDKDescriptor.begins(header) else { throw .alien("vmdk") }
        let text = try descriptor(header, at: 0, count: length, more)
        guard !text.type.isEmpty else { throw Flaw("its descriptor does not tell its type") }
        image.note("subformat", .string(text.type))
        image.extents = text.extents.filter { $0 != name }
        guard text.hasExtents else { throw Flaw("its descriptor lists no extents") }
        if let parent = text.parent { inherit(parent, into: &image) }
        image.capacity = try bytes(sectors: text.sectors)
    }

    private static func inherit(_ parent: String, into image: inout ImageHeader) {
        image.backing = ImageHeader.Backing(file: parent, format: "vmdk")
        image.note("backing-format", .string("vmdk"))
    }

    private static func embedded(_ header: Span<UInt8>, _ sector: UInt64, _ sectors: UInt64, _ more: Reader)
        throws(Flaw) -> VMDKDescriptor
    {
        guard sector <= 1 << 32, sectors <= 1 << 32 else { throw Flaw("its descriptor lies beyond its end") }
        return try descriptor(header, at: sector * 512, count: sectors * 512, more)
    }

    /// The descriptor at a place of a file, where it ends with that place or before a zero byte; from the file's first bytes if they
    /// contain all of it.
    private static func descriptor(_ header: Span<UInt8>, at offset: UInt64, count: UInt64, _ more: Reader)
        throws(Flaw) -> VMDKDescriptor
    {
        if offset < UInt64(header.count) {
            let start = Int(offset)
            let end = Int(min(UInt64(header.count), offset + count))
            let text = textLength(header, from: start, to: end)
            if text < end - start || UInt64(end - start) == count { return try VMDKDescriptor(header.extracting(start..<start + text)) }
        }
        let bytes = try more(offset, Int(min(max(count, 1), UInt64(ImageProbe.pieceLimit))))
        let text = textLength(bytes.span, from: 0, to: bytes.count)
        guard text < bytes.count || UInt64(bytes.count) >= count else {
            throw Flaw("its descriptor of \(count) bytes is too long or truncated")
        }
        return try VMDKDescriptor(bytes.span.extracting(0..<text))
    }

    private static func textLength(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        var position = start
        while position < end, bytes[position] != 0 { position += 1 }
        return position - start
    }
}
