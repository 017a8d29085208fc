// SPDX-License-Identifier: LGPL-2.1-or-later

/// The header extensions of a qcow2 image: QEMU docs/interop/qcow2.txt, section "Header extensions". Each has a type in its bytes 0 to
/// 3, a length in 4 to 7, and then that many bytes, padded to a multiple of 8.
struct QCow2Extensions {
    private(set) var backingFormat = ""
    private(set) var dataFile: String?
    private(set) var hasCipherHeader = false

    private enum Kind {
        static let end: UInt32 = 0
        static let backingFormat: UInt32 = 0xe279_2aca
        static let dataFile: UInt32 = 0x4441_5441
        static let cipherHeader: UInt32 = 0x0537_be77
    }

    /// Reads what there is between the header proper and the backing file's name, or the end of the first cluster, or of what is known
    /// of it: every known writer puts them in front.
    init(_ header: Span<UInt8>, from start: Int, clusterBits: UInt32) throws(Flaw) {
        let backing = header.be64(8)
        var limit = min(header.count, 1 << Int(clusterBits))
        if backing != 0, backing < UInt64(limit) { limit = Int(backing) }
        var offset = start
        while offset <= limit - 8 {
            let kind = header.be32(offset)
            let count = Int(header.be32(offset + 4))
            if kind == Kind.end { return }
            offset += 8
            guard count <= limit - offset else { throw Flaw("one of its header extensions is longer than its header") }
            try read(kind, header, offset..<offset + count)
            offset += (count + 7) & ~7
        }
    }

    private mutating func read(_ kind: UInt32, _ header: Span<UInt8>, _ range: Range<Int>) throws(Flaw) {
        switch kind {
        case Kind.backingFormat:
            guard range.count < 16, let text = header.text(range) else { throw Flaw("its backing file's format is no name") }
            backingFormat = text
        case Kind.dataFile:
            guard range.count <= longestName, let text = header.text(range) else { throw Flaw("its data file's name is not valid") }
            dataFile = text
        case Kind.cipherHeader:
            guard range.count == 16 else { throw Flaw("its pointer to a LUKS header is not valid") }
            hasCipherHeader = true
        default: break
        }
    }
}
