// SPDX-License-Identifier: LGPL-2.1-or-later

/// QEMU enhanced disk: QEMU docs/interop/qed_spec.txt, section "Header"; all numbers are little-endian.
enum QED {
    /// `magic`: "QED" and a zero byte.
    static let magic: UInt32 = 0x5145_4400
    private static let headerSize = 64

    /// Bits of `features`, at offset 16.
    private enum Feature {
        static let backingFile: UInt64 = 1 << 0
        static let needCheck: UInt64 = 1 << 1
        static let rawBacking: UInt64 = 1 << 2
        static let known = backingFile | needCheck | rawBacking
    }

    static func parse(_ header: Span<UInt8>, _ length: UInt64, into image: inout ImageHeader, _ more: Reader) throws(Flaw) {
        guard header.be32(0) == magic else { throw .alien("qed") }
        guard header.count >= headerSize else { throw .truncated }
        let features = header.le64(16)
        guard features & ~Feature.known == 0 else { throw Flaw("it needs features that are unknown here") }
        image.note("dirty", .bool(features & Feature.needCheck != 0))

        // Offset 4: `cluster_size` in bytes, 2^12 to 2^26. Offset 8: `table_size` in clusters, 1 to 16. Both are powers of two.
        let cluster = UInt64(header.le32(4))
        let table = UInt64(header.le32(8))
        guard isPowerOfTwo(cluster), (1 << 12...1 << 26).contains(cluster) else { throw .range("cluster size", cluster) }
        guard isPowerOfTwo(table), table <= 16 else { throw .range("table size", table) }
        image.clusterSize = cluster
        // Offset 12: `header_size` in clusters.
        let (room, overflow) = UInt64(header.le32(12)).multipliedReportingOverflow(by: cluster)
        guard !overflow, room >= headerSize else { throw .range("header size", header.le32(12)) }

        try readBacking(header, features, room, into: &image, more)
        // Offset 40: `l1_table_offset`, behind the header's clusters.
        guard header.le64(40) % cluster == 0, header.le64(40) >= room else { throw Flaw("its L1 table lies in a wrong place") }
        try require("L1 table", at: header.le64(40), count: cluster * table, within: length)
        image.capacity = try size(header, cluster, table)
    }

    /// Offset 56: `backing_filename_offset`, 60: `backing_filename_size`, both in bytes and within the header.
    private static func readBacking(
        _ header: Span<UInt8>, _ features: UInt64, _ room: UInt64, into image: inout ImageHeader, _ more: Reader
    ) throws(Flaw) {
        guard features & Feature.backingFile != 0 else { return }
        let offset = UInt64(header.le32(56))
        let count = UInt64(header.le32(60))
        guard offset + count <= room else { throw Flaw("its backing file's name lies outside of its header") }
        guard count > 0 else { return }
        let isRaw = features & Feature.rawBacking != 0
        let file = try name("backing file", at: offset, count: count, header, more)
        image.backing = ImageHeader.Backing(file: file, format: isRaw ? "raw" : "")
        if isRaw { image.note("backing-format", .string("raw")) }
    }

    /// Offset 48: `image_size` in bytes, whole sectors; at most what two levels of tables can map.
    private static func size(_ header: Span<UInt8>, _ cluster: UInt64, _ table: UInt64) throws(Flaw) -> UInt64 {
        let size = header.le64(48)
        let entries = cluster * table / 8
        let (most, overflow) = (entries * entries).multipliedReportingOverflow(by: cluster)
        guard size % 512 == 0, overflow || size <= most, size <= UInt64(Int64.max) else { throw .range("size", size) }
        return size
    }
}
