// SPDX-License-Identifier: LGPL-2.1-or-later

/// Compressed loop device of Knoppix, version 2.0: cloop's compressed_loop.h, `struct cloop_head`; all numbers are big-endian.
enum Cloop {
    /// Offset 0: a shell script of 128 bytes, by which a cloop file mounts itself; its second line is the format's mark.
    private static let script = "#!/bin/sh\n#V2.0 Format\n"
    /// A writer's warning begins at 256 KiB; QEMU block/cloop.c takes up to 64 MiB.
    private static let largestBlock: UInt32 = 64 << 20

    static func isOne(_ header: Span<UInt8>) -> Bool { header.byte(0) == UInt8(ascii: "#") && header.holds(script) }

    static func parse(_ header: Span<UInt8>, _ length: UInt64, into image: inout ImageHeader) throws(Flaw) {
        guard isOne(header) else { throw .alien("cloop") }
        guard header.count >= 136 else { throw .truncated }
        // Offset 128: `block_size`. Offset 132: `num_blocks`. From 136: one offset more than there are blocks.
        let block = header.be32(128)
        guard block > 0, block % 512 == 0, block <= largestBlock else { throw .range("block size", block) }
        image.clusterSize = UInt64(block)
        let blocks = UInt64(header.be32(132))
        try require("block index", at: 136, count: (blocks + 1) * 8, within: length)
        image.capacity = blocks * UInt64(block)
    }
}
