// SPDX-License-Identifier: LGPL-2.1-or-later

/// Parallels expandable image: QEMU docs/interop/parallels.txt, section "Header"; all numbers are little-endian.
enum Parallels {
    /// The first four bytes of both magics.
    static let magic: UInt32 = 0x5769_7468
    private static let headerSize = 64
    /// `in_use` of an image that is open for writing, or was when its writer died.
    private static let inUse: UInt32 = 0x746f_6e59

    /// Bytes 0 to 15: the second magic is the newer one's.
    static func isOne(_ header: Span<UInt8>) -> Bool { header.holds("WithoutFreeSpace") || isExtended(header) }
    private static func isExtended(_ header: Span<UInt8>) -> Bool { header.holds("WithouFreSpacExt") }

    static func parse(_ header: Span<UInt8>, _ length: UInt64, into image: inout ImageHeader) throws(Flaw) {
        guard isOne(header) else { throw .alien("parallels") }
        guard header.count >= headerSize else { throw .truncated }
        // Bytes 16 to 19: version.
        guard header.le32(16) == 2 else { throw Flaw("its version \(header.le32(16)) is unknown") }
        // Bytes 44 to 47: `in_use`.
        image.note("dirty", .bool(header.le32(44) == inUse))
        // Bytes 28 to 31: cluster size in sectors.
        let tracks = header.le32(28)
        guard tracks > 0, tracks <= UInt32(Int32.max) / 513 else { throw .range("cluster size in sectors", tracks) }
        image.clusterSize = UInt64(tracks) * 512
        // Bytes 32 to 35: entries of the block allocation table, which follows the header.
        let entries = header.le32(32)
        guard entries <= UInt32(Int32.max) / 4 else { throw .range("number of clusters", entries) }
        try require("allocation table", at: UInt64(headerSize), count: UInt64(entries) * 4, within: length)
        // Bytes 36 to 43: size in sectors; the older format uses the lower half alone.
        let sectors = isExtended(header) ? header.le64(36) : UInt64(header.le32(36))
        guard sectors <= UInt64(entries) * UInt64(tracks) else {
            throw Flaw("its allocation table of \(entries) clusters is too short for its size of \(sectors) sectors")
        }
        image.capacity = try bytes(sectors: sectors)
    }
}
