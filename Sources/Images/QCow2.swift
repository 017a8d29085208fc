// SPDX-License-Identifier: LGPL-2.1-or-later

/// QEMU copy-on-write, versions 2 ("compat 0.10") and 3 ("compat 1.1"): QEMU docs/interop/qcow2.txt, section "Header"; all numbers are
/// big-endian.
enum QCow2 {
    private static let oldHeaderSize = 72
    private static let headerSize = 104

    /// Bytes 72 to 79 in version 3: features that a reader must know.
    private enum Feature {
        static let dirty: UInt64 = 1 << 0
        static let corrupt: UInt64 = 1 << 1
        static let dataFile: UInt64 = 1 << 2
        static let compression: UInt64 = 1 << 3
        static let extendedL2: UInt64 = 1 << 4
        static let known = dirty | corrupt | dataFile | compression | extendedL2
    }

    static func parse(_ header: Span<UInt8>, _ length: UInt64, into image: inout ImageHeader, _ more: Reader) throws(Flaw) {
        guard header.be32(0) == QCow.magic else { throw .alien("qcow2") }
        guard header.count >= 8 else { throw .truncated }
        // Bytes 4 to 7: version.
        let version = header.be32(4)
        guard version == 2 || version == 3 else { throw Flaw("its version \(version) is unknown") }
        guard header.count >= (version == 2 ? oldHeaderSize : headerSize) else { throw .truncated }
        image.details.reserveCapacity(9)
        image.note("compat", .string(version == 2 ? "0.10" : "1.1"))

        // Bytes 20 to 23: binary logarithm of the cluster size; at least 9, and no reader takes more than 21.
        let bits = header.be32(20)
        guard (9...21).contains(bits) else { throw Flaw("its cluster size of 2^\(bits) bytes is out of range") }
        image.clusterSize = 1 << UInt64(bits)
        // Bytes 100 to 103: the header's length, in which a version 2 has no say.
        let end = version == 2 ? UInt32(oldHeaderSize) : header.be32(100)
        guard version == 2 || (end >= headerSize && end <= 1 << bits) else { throw .range("header length", end) }

        let features = version == 2 ? 0 : header.be64(72)
        try readFeatures(features, version, end, header, into: &image)
        try readTables(header, bits, into: &image)
        let extensions = try QCow2Extensions(header, from: Int(end), clusterBits: bits)
        try readCipher(header, extensions, into: &image)
        try readBacking(header, bits, extensions, into: &image, more)
        try readDataFile(features & Feature.dataFile != 0, extensions, into: &image)
        image.capacity = try size(header, length, bits, extended: features & Feature.extendedL2 != 0)
    }

    /// Bytes 72 to 79 incompatible, 80 to 87 compatible features (bit 0: lazy reference counts), byte 104 compression type.
    private static func readFeatures(
        _ features: UInt64, _ version: UInt32, _ end: UInt32, _ header: Span<UInt8>, into image: inout ImageHeader
    ) throws(Flaw) {
        let method = end > 104 ? header.byte(104) : 0
        if version == 3 {
            image.note("lazy-refcounts", .bool(header.be64(80) & 1 != 0))
            image.note("extended-l2", .bool(features & Feature.extendedL2 != 0))
            image.note("dirty", .bool(features & Feature.dirty != 0))
            image.note("corrupt", .bool(features & Feature.corrupt != 0))
        }
        guard features & ~Feature.known == 0 else { throw Flaw("it needs features that are unknown here") }
        // Bytes 96 to 99: binary logarithm of the bits in a reference count.
        guard version == 2 || header.be32(96) <= 6 else { throw Flaw("its reference counts of 2^\(header.be32(96)) bits are out of range") }
        guard version == 2 || (features & Feature.compression != 0) == (method != 0) else {
            throw Flaw("its compression type \(method) contradicts its features")
        }
        switch version == 2 ? 0 : method {
        case 0: image.note("compression", .string("zlib"))
        case 1: image.note("compression", .string("zstd"))
        default: throw Flaw("its compression type \(method) is unknown")
        }
    }

    /// Bytes 48 to 55 and 56 to 59: place and clusters of the table of reference counts. Bytes 60 to 63 and 64 to 71: number of snapshots
    /// and place of their table. Tables begin with a cluster; the first has, by what every reader accepts, at most 8 MiB.
    private static func readTables(_ header: Span<UInt8>, _ bits: UInt32, into image: inout ImageHeader) throws(Flaw) {
        let mask: UInt64 = 1 << UInt64(bits) - 1
        let clusters = UInt64(header.be32(56))
        guard header.be64(48) & mask == 0, clusters > 0, clusters << UInt64(bits) <= 8 << 20 else {
            throw Flaw("its table of reference counts is missing, misplaced or too long")
        }
        guard header.be64(40) & mask == 0 else { throw Flaw("its L1 table lies in a wrong place") }
        let snapshots = header.be32(60)
        guard snapshots <= 65536 else { throw .range("number of snapshots", snapshots) }
        guard snapshots > 0 else { return }
        guard header.be64(64) & mask == 0 else { throw Flaw("its snapshots lie in a wrong place") }
        image.note("snapshots", .uint32(snapshots))
    }

    /// Bytes 32 to 35: 0 for none, 1 for AES, 2 for LUKS, whose header then lies in an extension's place and is of version 1.
    private static func readCipher(_ header: Span<UInt8>, _ extensions: QCow2Extensions, into image: inout ImageHeader) throws(Flaw) {
        switch header.be32(32) {
        case 0: break
        case 1: image.encryption = "aes"
        case 2:
            image.encryption = "luks1"
            guard extensions.hasCipherHeader else { throw Flaw("it is encrypted and does not say where its LUKS header is") }
        case let method: throw Flaw("its encryption method \(method) is unknown")
        }
    }

    /// Bytes 8 to 15 and 16 to 19: where the backing file's name is, within the first cluster, and how many bytes it has.
    private static func readBacking(
        _ header: Span<UInt8>, _ bits: UInt32, _ extensions: QCow2Extensions, into image: inout ImageHeader, _ more: Reader
    ) throws(Flaw) {
        let offset = header.be64(8)
        let count = UInt64(header.be32(16))
        guard offset != 0 else { return }
        guard offset <= 1 << UInt64(bits), count <= (1 << UInt64(bits)) - offset else {
            throw Flaw("its backing file's name lies outside of its first cluster")
        }
        guard count > 0 else { return }
        let file = try name("backing file", at: offset, count: count, header, more)
        image.backing = ImageHeader.Backing(file: file, format: extensions.backingFormat)
        if !extensions.backingFormat.isEmpty { image.note("backing-format", .string(extensions.backingFormat)) }
    }

    private static func readDataFile(_ isExternal: Bool, _ extensions: QCow2Extensions, into image: inout ImageHeader) throws(Flaw) {
        guard isExternal else { return }
        guard let file = extensions.dataFile else { throw Flaw("its data lies in another file that it does not name") }
        image.dataFile = file
        image.note("data-file", .string(file))
    }

    /// Bytes 24 to 31: virtual size in bytes, used as whole sectors. Bytes 36 to 39 and 40 to 47: entries and place of the L1 table,
    /// which must be enough for that size (section "Cluster mapping") and, by what every reader accepts, at most 32 MiB.
    private static func size(_ header: Span<UInt8>, _ length: UInt64, _ bits: UInt32, extended: Bool) throws(Flaw) -> UInt64 {
        guard !extended || bits >= 14 else { throw Flaw("its cluster size of 2^\(bits) bytes is too small for subclusters") }
        let size = header.be64(24)
        guard size <= UInt64(Int64.max) else { throw .range("size", size) }
        let shift = UInt64(bits) + UInt64(bits) - (extended ? 4 : 3)
        let entries = UInt64(header.be32(36))
        let needed = size >> shift + (size & (1 << shift - 1) == 0 ? 0 : 1)
        guard entries <= 4 << 20 else { throw Flaw("its L1 table of \(entries) entries is too long") }
        guard entries >= needed else { throw Flaw("its L1 table of \(entries) entries is too short for its size of \(size) bytes") }
        if entries > 0 { try require("L1 table", at: header.be64(40), count: entries * 8, within: length) }
        return size / 512 * 512
    }
}
