// SPDX-License-Identifier: LGPL-2.1-or-later

/// Growing disk of the Bochs emulator: Bochs Developers Guide, "Harddisk Images", section "Redolog header"; all numbers are
/// little-endian. Of its kinds only "Growing" stands alone.
enum Bochs {
    /// The first four bytes of "Bochs Virtual HD Image".
    static let magic: UInt32 = 0x426f_6368
    private static let headerSize = 512

    /// Offsets 0 (32 bytes), 32 (16 bytes) and 48 (16 bytes): magic, type, subtype, each ended by a zero byte.
    static func isOne(_ header: Span<UInt8>) -> Bool {
        header.holds("Bochs Virtual HD Image\0") && header.holds("Redolog\0", at: 32) && header.holds("Growing\0", at: 48)
    }

    static func parse(_ header: Span<UInt8>, _ length: UInt64, into image: inout ImageHeader) throws(Flaw) {
        guard isOne(header) else { throw .alien("bochs") }
        guard header.count >= headerSize else { throw .truncated }
        // Offset 64: version; the second moved the disk size to an aligned place.
        let sizeOffset: Int
        switch header.le32(64) {
        case 0x0001_0000: sizeOffset = 84
        case 0x0002_0000: sizeOffset = 88
        default: throw Flaw("its version \(header.le32(64) >> 16) is unknown")
        }
        // Offset 68: size of the header. 72: number of catalog entries. 80: bytes in an extent.
        let catalog = UInt64(header.le32(72))
        let extent = header.le32(80)
        guard isPowerOfTwo(extent), (512...1 << 23).contains(extent) else { throw .range("extent size", extent) }
        image.clusterSize = UInt64(extent)
        let size = header.le64(sizeOffset)
        guard size <= UInt64(Int64.max) else { throw .range("size", size) }
        guard catalog <= 1 << 20 else { throw .range("catalog size", catalog) }
        guard size <= catalog * UInt64(extent) else {
            throw Flaw("its catalog of \(catalog) entries is too short for its size of \(size) bytes")
        }
        try require("catalog", at: UInt64(header.le32(68)), count: catalog * 4, within: length)
        image.capacity = size / 512 * 512
    }
}
