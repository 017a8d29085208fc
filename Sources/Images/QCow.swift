// SPDX-License-Identifier: LGPL-2.1-or-later

/// QEMU copy-on-write, version 1. It has no specification beside its implementation: QEMU block/qcow.c, `QCowHeader`; all numbers are
/// big-endian.
enum QCow {
    /// Offset 0: "QFI" and 0xfb, shared with qcow2.
    static let magic: UInt32 = 0x5146_49fb
    private static let headerSize = 48

    static func parse(_ header: Span<UInt8>, _ length: UInt64, into image: inout ImageHeader, _ more: Reader) throws(Flaw) {
        guard header.be32(0) == magic else { throw .alien("qcow") }
        guard header.count >= headerSize else { throw .truncated }
        // Offset 4: version.
        guard header.be32(4) == 1 else { throw Flaw("its version \(header.be32(4)) is not qcow's") }
        try readUnits(header, into: &image)
        try readCipher(header, into: &image)
        try readBacking(header, into: &image, more)
        image.capacity = try size(header, length)
    }

    /// Offset 24: virtual size in bytes, used as whole sectors. Offset 40: place of the first-level table, whose length in bytes is a
    /// number of 31 bits.
    private static func size(_ header: Span<UInt8>, _ length: UInt64) throws(Flaw) -> UInt64 {
        let size = header.be64(24)
        let shift = UInt64(header.byte(32)) + UInt64(header.byte(33))
        guard size > 1, size <= UInt64(Int64.max), size >> shift < UInt64(Int32.max) / 8 else { throw .range("size", size) }
        try require("first table", at: header.be64(40), count: ((size - 1) >> shift + 1) * 8, within: length)
        return size / 512 * 512
    }

    /// Offset 32: binary logarithm of the cluster size, 9 to 16. Offset 33: the same of the entries in a second-level table, 6 to 13.
    private static func readUnits(_ header: Span<UInt8>, into image: inout ImageHeader) throws(Flaw) {
        let bits = header.byte(32)
        guard (9...16).contains(bits) else { throw Flaw("its cluster size of 2^\(bits) bytes is out of range") }
        guard (6...13).contains(header.byte(33)) else { throw Flaw("its table size of 2^\(header.byte(33)) entries is out of range") }
        image.clusterSize = 1 << UInt64(bits)
    }

    /// Offset 36: 0 for none, 1 for AES.
    private static func readCipher(_ header: Span<UInt8>, into image: inout ImageHeader) throws(Flaw) {
        switch header.be32(36) {
        case 0: break
        case 1: image.encryption = "aes"
        case let method: throw Flaw("its encryption method \(method) is unknown")
        }
    }

    /// Offsets 8 and 16: where the backing file's name is and how many bytes it has.
    private static func readBacking(_ header: Span<UInt8>, into image: inout ImageHeader, _ more: Reader) throws(Flaw) {
        let offset = header.be64(8)
        guard offset != 0, header.be32(16) != 0 else { return }
        let file = try name("backing file", at: offset, count: UInt64(header.be32(16)), header, more)
        image.backing = ImageHeader.Backing(file: file)
    }
}
