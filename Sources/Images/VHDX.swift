// SPDX-License-Identifier: LGPL-2.1-or-later

/// Hyper-V disk: [MS-VHDX] Virtual Hard Disk v2 File Format, sections 2.2.1 "File Type Identifier", 2.2.3 "Region Table" and 2.6
/// "Metadata Region"; all numbers are little-endian.
///
/// Three small reads follow one another: region table, metadata table, and the metadata themselves.
enum VHDX {
    /// 2.2.1: `Signature`.
    static let identifier = "vhdxfile"
    static let magic: UInt32 = 0x7668_6478
    /// 2.2.3: the table and its copy.
    private static let regionTables: [UInt64] = [192 << 10, 256 << 10]
    /// Enough of a table for 127 entries of the 5 to 6 there are.
    private static let tableSize = 4096
    private static let entrySize = 32
    /// 2.6.2: items begin behind the table's 64 KiB.
    private static let itemsOffset: UInt32 = 64 << 10
    /// 2.6.2.3: the format's largest disk is of 64 TiB.
    private static let mostBytes: UInt64 = 64 << 40

    /// An identifier as it lies in the file, eight bytes and eight bytes.
    private struct Identifier: Equatable {
        let first: UInt64
        let second: UInt64

        init(_ first: UInt64, _ second: UInt64) {
            self.first = first
            self.second = second
        }

        init(_ bytes: Span<UInt8>, at offset: Int) { self.init(bytes.be64(offset), bytes.be64(offset + 8)) }

        /// 8b7ca206-4790-4b9a-b8fe-575f050f886e
        static let metadata = Identifier(0x06a2_7c8b_9047_9a4b, 0xb8fe_575f_050f_886e)
        /// caa16737-fa36-4d43-b3b6-33f0aa44e76b
        static let fileParameters = Identifier(0x3767_a1ca_36fa_434d, 0xb3b6_33f0_aa44_e76b)
        /// 2fa54224-cd1b-4876-b211-5dbed83bf4b8
        static let diskSize = Identifier(0x2442_a52f_1bcd_7648, 0xb211_5dbe_d83b_f4b8)
        /// 8141bf1d-a96f-4709-ba47-f233a8faab5f
        static let sectorSize = Identifier(0x1dbf_4181_6fa9_0947, 0xba47_f233_a8fa_ab5f)
        /// a8d35f2d-b30b-454d-abf7-d3d84834ab0c
        static let parentLocator = Identifier(0x2d5f_d3a8_0bb3_4d45, 0xabf7_d3d8_4834_ab0c)
    }

    static func parse(_ header: Span<UInt8>, _ length: UInt64, into image: inout ImageHeader, _ more: Reader) throws(Flaw) {
        guard header.holds(identifier) else { throw .alien("vhdx") }
        let region = try metadataRegion(length, more)
        let table = try Table(try more(region, tableSize))
        let base = table.items.lowerBound
        let count = table.items.count
        guard count > 0, count <= ImageProbe.pieceLimit else { throw Flaw("its metadata are scattered over \(count) bytes") }
        let items = try more(region + UInt64(base), count)
        guard items.count == count else { throw .truncated }
        try read(table, items.span, Int(base), into: &image)
    }

    /// 2.2.3.1: `Signature` "regi" at 0, `EntryCount` at 8. 2.2.3.2, from 16: `Guid`, `FileOffset` at 16, `Length` at 24.
    private static func metadataRegion(_ length: UInt64, _ more: Reader) throws(Flaw) -> UInt64 {
        for offset in regionTables {
            let bytes = try more(offset, tableSize)
            let table = bytes.span
            guard table.holds("regi") else { continue }
            for index in 0..<min(Int(table.le32(8)), (tableSize - 16) / entrySize) {
                let entry = 16 + index * entrySize
                guard Identifier(table, at: entry) == .metadata else { continue }
                let place = table.le64(entry + 16)
                guard place >= 1 << 20, place < length else { throw Flaw("its metadata lie beyond its end") }
                return place
            }
            throw Flaw("it has no metadata")
        }
        throw length < regionTables[0] + UInt64(tableSize) ? .truncated : Flaw("its region table is damaged")
    }

    /// 2.6.1: where the items are, from the beginning of the metadata region.
    private struct Table {
        var parameters: Range<Int>?
        var diskSize: Range<Int>?
        var sectorSize: Range<Int>?
        var parent: Range<Int>?

        /// 2.6.1.1: `Signature` "metadata" at 0, `EntryCount` at 10. 2.6.1.2, from 32: `ItemId`, `Offset` at 16, `Length` at 20.
        init(_ bytes: [UInt8]) throws(Flaw) {
            let table = bytes.span
            guard table.count == tableSize else { throw .truncated }
            guard table.holds("metadata") else { throw Flaw("its metadata table is damaged") }
            for index in 0..<min(Int(table.le16(10)), (tableSize - 32) / entrySize) {
                let entry = 32 + index * entrySize
                let (offset, count) = (table.le32(entry + 16), table.le32(entry + 20))
                guard offset >= itemsOffset, count > 0, count <= 1 << 20, offset <= 1 << 30 else { continue }
                let range = Int(offset)..<Int(offset) + Int(count)
                switch Identifier(table, at: entry) {
                case .fileParameters where count >= 8: parameters = range
                case .diskSize where count >= 8: diskSize = range
                case .sectorSize where count >= 4: sectorSize = range
                case .parentLocator: parent = range
                default: break
                }
            }
        }

        /// The range that holds them all.
        var items: Range<Int> {
            let ranges = [parameters, diskSize, sectorSize, parent].compactMap(\.self)
            let start = ranges.map(\.lowerBound).min() ?? 0
            return start..<(ranges.map(\.upperBound).max() ?? start)
        }
    }

    private static func read(_ table: Table, _ items: Span<UInt8>, _ base: Int, into image: inout ImageHeader) throws(Flaw) {
        guard let parameters = table.parameters, let diskSize = table.diskSize, let sectorSize = table.sectorSize else {
            throw Flaw("its metadata are incomplete")
        }
        // 2.6.2.1: block size, 2^20 to 2^28; then flags, bit 0 blocks stay allocated, bit 1 there is a parent.
        let block = items.le32(parameters.lowerBound - base)
        let flags = items.le32(parameters.lowerBound - base + 4)
        guard isPowerOfTwo(block), (1 << 20...1 << 28).contains(block) else { throw .range("block size", block) }
        image.clusterSize = UInt64(block)
        image.note("subformat", .string(flags & 2 != 0 ? "differencing" : flags & 1 != 0 ? "fixed" : "dynamic"))
        // 2.6.2.4: logical sector size.
        let sector = items.le32(sectorSize.lowerBound - base)
        guard sector == 512 || sector == 4096 else { throw .range("sector size", sector) }
        if flags & 2 != 0 { try readParent(table.parent.map { $0.lowerBound - base..<$0.upperBound - base }, items, into: &image) }
        let size = items.le64(diskSize.lowerBound - base)
        guard size <= mostBytes, size % UInt64(sector) == 0 else { throw .range("size", size) }
        image.capacity = size
    }

    /// 2.6.2.6: number of entries at 18; from 20, per entry: offsets of key and value, and their lengths, of UTF-16 text.
    private static func readParent(_ locator: Range<Int>?, _ items: Span<UInt8>, into image: inout ImageHeader) throws(Flaw) {
        guard let locator, locator.count >= 20 else { throw Flaw("it does not name its parent") }
        let bytes = items.extracting(locator)
        var names: [String: String] = [:]
        for index in 0..<min(Int(bytes.le16(18)), 16) {
            let entry = 20 + index * 12
            let key = text(bytes, bytes.le32(entry), bytes.le16(entry + 8))
            if let key, let value = text(bytes, bytes.le32(entry + 4), bytes.le16(entry + 10)) { names[key] = value }
        }
        // 2.6.2.6.3: what to try, in this order.
        guard let file = names["relative_path"] ?? names["volume_path"] ?? names["absolute_win32_path"] else {
            throw Flaw("it does not name its parent")
        }
        image.backing = ImageHeader.Backing(file: file, format: "vhdx")
        image.note("backing-format", .string("vhdx"))
    }

    private static func text(_ bytes: Span<UInt8>, _ offset: UInt32, _ count: UInt16) -> String? {
        guard count > 0, Int(count) <= 2 * longestName, Int(offset) + Int(count) <= bytes.count else { return nil }
        return bytes.utf16(Int(offset)..<Int(offset) + Int(count), bigEndian: false)
    }
}
