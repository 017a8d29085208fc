// SPDX-License-Identifier: LGPL-2.1-or-later

/// Image of an optical disc: ECMA-119 (ISO 9660), section 8.1. Volume descriptors begin at sector 16 of 2048 bytes; each has its type
/// in byte 0 and the standard identifier in bytes 1 to 5. As a disk such an image is plain data: its size is the file's.
enum ISO {
    private static let identifierOffset: UInt64 = 16 * 2048 + 1

    static func parse(_ more: Reader) throws(Flaw) {
        let bytes = try more(identifierOffset, 5)
        guard bytes.span.holds("CD001") else { throw .alien("iso") }
    }
}
