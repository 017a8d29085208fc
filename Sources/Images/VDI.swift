// SPDX-License-Identifier: LGPL-2.1-or-later

/// VirtualBox disk image, version 1.1: VirtualBox src/VBox/Storage/VDICore.h, `VDIPREHEADER` and `VDIHEADER1`, as "All about VDIs"
/// (VirtualBox forum, topic 8046) describes them; all numbers are little-endian.
enum VDI {
    /// Behind 64 bytes of text: the image signature.
    static let signatureOffset = 0x40
    static let signature: UInt32 = 0xbeda_107f
    private static let headerSize = 512
    /// The most blocks whose map a reader takes: its size in bytes is a number of 32 bits.
    private static let mostBlocks: UInt32 = 0x3fff_ffff

    static func parse(_ header: Span<UInt8>, _ length: UInt64, into image: inout ImageHeader) throws(Flaw) {
        guard header.le32(signatureOffset) == signature else { throw .alien("vdi") }
        guard header.count >= headerSize else { throw .truncated }
        // 0x44: version, major in the upper half.
        let version = header.le32(0x44)
        guard version == 0x0001_0001 else { throw Flaw("its version \(version >> 16).\(version & 0xffff) is unknown") }
        // 0x4c: type of the image.
        switch header.le32(0x4c) {
        case 1: image.note("subformat", .string("dynamic"))
        case 2: image.note("subformat", .string("fixed"))
        default: break
        }
        // 0x168: sector size, always 512. 0x178: block size.
        guard header.le32(0x168) == 512 else { throw .range("sector size", header.le32(0x168)) }
        let block = header.le32(0x178)
        guard isPowerOfTwo(block), block >= 512 else { throw .range("block size", block) }
        image.clusterSize = UInt64(block)
        // 0x1b8: UUID of the parent; there is no name of its file anywhere.
        guard header.isZero(0x1a8..<0x1c8) else { throw Flaw("it depends on another image that it does not name") }
        image.capacity = try size(header, length, block)
    }

    /// 0x170: disk size in bytes, rounded up to sectors. 0x180: number of blocks. 0x154 and 0x158: where block map and data begin.
    private static func size(_ header: Span<UInt8>, _ length: UInt64, _ block: UInt32) throws(Flaw) -> UInt64 {
        let size = header.le64(0x170)
        let blocks = header.le32(0x180)
        guard blocks <= mostBlocks else { throw .range("number of blocks", blocks) }
        guard size <= UInt64(blocks) * UInt64(block) else {
            throw Flaw("its \(blocks) blocks are too few for its size of \(size) bytes")
        }
        guard header.le32(0x154) % 512 == 0, header.le32(0x158) % 512 == 0 else { throw Flaw("its block map or data is not aligned") }
        try require("block map", at: UInt64(header.le32(0x154)), count: UInt64(blocks) * 4, within: length)
        return (size + 511) / 512 * 512
    }
}
