// SPDX-License-Identifier: LGPL-2.1-or-later

/// Linux unified key setup: "LUKS1 On-Disk Format Specification" 1.2.3, section 2.1 "Partition header", and "LUKS2 On-Disk Format
/// Specification" 1.1.1, sections 2.1 "Binary header" and 3 "JSON area"; all numbers are big-endian. Both begin with the same magic.
enum LUKS {
    /// Offset 0: "LUKS", then 0xba 0xbe.
    static let magic: UInt32 = 0x4c55_4b53
    static let magicEnd: UInt16 = 0xbabe
    private static let firstSize = 592
    private static let secondSize: UInt64 = 4096

    static func parse(_ header: Span<UInt8>, _ length: UInt64, into image: inout ImageHeader, _ more: Reader) throws(Flaw) {
        guard header.be32(0) == magic, header.be16(4) == magicEnd else { throw .alien("luks") }
        guard header.count >= 8 else { throw .truncated }
        // Offset 6: version.
        switch header.be16(6) {
        case 1:
            image.encryption = "luks1"
            try parseFirst(header, length, into: &image)
        case 2:
            image.encryption = "luks2"
            try parseSecond(header, length, into: &image, more)
        case let version: throw Flaw("its version \(version) is unknown")
        }
    }

    /// Offset 104: `payload-offset` in sectors; what follows it is the disk.
    private static func parseFirst(_ header: Span<UInt8>, _ length: UInt64, into image: inout ImageHeader) throws(Flaw) {
        guard header.count >= firstSize else { throw .truncated }
        let payload = UInt64(header.be32(104)) * 512
        guard payload >= firstSize else { throw Flaw("its data lies in another file") }
        try require("data", at: payload, count: 0, within: length)
        image.capacity = length > payload ? length - payload : 0
    }

    /// Offset 8: `hdr_size`, of the binary header and the JSON area behind it.
    private static func parseSecond(_ header: Span<UInt8>, _ length: UInt64, into image: inout ImageHeader, _ more: Reader)
        throws(Flaw)
    {
        guard header.count >= Int(secondSize) else { throw .truncated }
        let size = header.be64(8)
        guard isPowerOfTwo(size), (1 << 14...1 << 22).contains(size) else { throw .range("header size", size) }
        let area = try more(secondSize, Int(min(size - secondSize, UInt64(ImageProbe.pieceLimit))))
        image.capacity = try LUKSSegments(area).size(in: length)
    }
}
