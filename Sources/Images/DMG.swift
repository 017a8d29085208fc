// SPDX-License-Identifier: LGPL-2.1-or-later

/// Apple disk image (UDIF). Apple publishes no specification; the trailer is described by J. Levin, "Demystifying the DMG File Format",
/// `UDIFResourceFile`; all numbers are big-endian.
enum DMG {
    private static let trailerSize = 512

    static func parse(_ length: UInt64, into image: inout ImageHeader, _ more: Reader) throws(Flaw) {
        guard length >= trailerSize else { throw .truncated }
        let bytes = try more(length - UInt64(trailerSize), trailerSize)
        let trailer = bytes.span
        // Offsets 0, 4 and 8: signature, version, and the trailer's own size.
        guard trailer.count == trailerSize, trailer.holds("koly"), trailer.be32(4) == 4, trailer.be32(8) == trailerSize else {
            throw Flaw("it has no trailer of a dmg image at its end")
        }
        // Offset 0x1ec: number of sectors of 512 bytes.
        let sectors = trailer.be64(0x1ec)
        guard sectors <= UInt64(Int64.max) / 512 else {
            image.problem = "its size of \(sectors) sectors is out of range"
            return
        }
        image.capacity = sectors * 512
    }
}
