// SPDX-License-Identifier: LGPL-2.1-or-later

/// A smallest valid image of each format and kind, written by hand from the formats' specifications.
enum Samples {
    struct Sample: Sendable, CustomStringConvertible {
        let description: String
        let format: String
        let image: FakeImage
        /// The first length at which the file is known for what it is; shorter it is plain data.
        let mark: Int
        /// The first length at which it is whole.
        let whole: Int

        init(_ description: String, _ format: String, _ image: FakeImage, mark: Int, whole: Int) {
            self.description = description
            self.format = format
            self.image = image
            self.mark = mark
            self.whole = whole
        }
    }

    /// A last sector that is not whole counts as one, so that what a header points to may lack its last bytes.
    static let all = [
        Sample("qcow", "qcow", qcow, mark: 4, whole: 48), Sample("qcow2 0.10", "qcow2", qcow2Old, mark: 4, whole: 131073),
        Sample("qcow2", "qcow2", qcow2, mark: 4, whole: 1537), Sample("qed", "qed", qed, mark: 4, whole: 7681),
        Sample("vmdk", "vmdk", vmdk, mark: 4, whole: 513 + vmdk.pieces[1].bytes.count),
        Sample("vmdk text", "vmdk", vmdkFlat, mark: 32, whole: 80),
        Sample("vmdk cowd", "vmdk", cowd, mark: 4, whole: 512), Sample("vdi", "vdi", vdi, mark: 68, whole: 513),
        Sample("vpc", "vpc", vpc, mark: 8, whole: 1537), Sample("vpc overlay", "vpc", vpcOverlay, mark: 8, whole: 1537),
        Sample("vhdx", "vhdx", vhdx, mark: 8, whole: Int(vhdx.length)),
        Sample("vhdx overlay", "vhdx", vhdxOverlay, mark: 8, whole: Int(vhdxOverlay.length)),
        Sample("luks1", "luks", luks1, mark: 6, whole: 3585), Sample("luks2", "luks", luks2, mark: 6, whole: 15873),
        Sample("bochs", "bochs", bochs, mark: 56, whole: 513), Sample("cloop", "cloop", cloop, mark: 23, whole: 136),
        Sample("parallels", "parallels", parallels("WithoutFreeSpace"), mark: 16, whole: 64),
        Sample("parallels extended", "parallels", parallels("WithouFreSpacExt"), mark: 16, whole: 64),
    ]

    /// 3 MiB.
    static let capacity: UInt64 = 3 << 20

    static let qcow = FakeImage(
        (
            0,
            HeaderBytes.make(64) {
                $0.put(0, [0x51, 0x46, 0x49, 0xfb])
                $0.big(4, UInt32(1))
                $0.big(24, capacity)
                $0.put(32, [12, 9])
                $0.big(40, UInt64(48))
            }
        ))

    static let qcow2Old = FakeImage(
        (
            0,
            HeaderBytes.make(89) {
                qcow2Basics(&$0, version: 2, clusterBits: 16, entries: 1)
                $0.big(8, UInt64(80))
                $0.big(16, UInt32(9))
                $0.put(80, "base.img\u{1}")
            }
        ), (2 << 16, [UInt8](repeating: 0, count: 8)))

    /// With extensions for a backing format, a data file and a LUKS header, and zstd.
    static let qcow2 = FakeImage(
        (
            0,
            HeaderBytes.make(184) {
                qcow2Basics(&$0, version: 3, clusterBits: 9, entries: 96)
                $0.big(72, UInt64(0b01100))
                $0.big(32, UInt32(2))
                $0.big(80, UInt64(1))
                $0.big(96, UInt32(4))
                $0.big(100, UInt32(112))
                $0.put(104, [1])
                $0.big(112, 0xe279_2aca as UInt32)
                $0.big(116, UInt32(3))
                $0.put(120, "raw")
                $0.big(128, 0x4441_5441 as UInt32)
                $0.big(132, UInt32(8))
                $0.put(136, "data.raw")
                $0.big(144, 0x0537_be77 as UInt32)
                $0.big(148, UInt32(16))
                $0.big(8, UInt64(176))
                $0.big(16, UInt32(8))
                $0.put(176, "base.img")
            }
        ), (1024, [UInt8](repeating: 0, count: 96 * 8)))

    /// Reference counts in the second cluster, the L1 table in the third.
    private static func qcow2Basics(_ header: inout HeaderBytes, version: UInt32, clusterBits: UInt32, entries: UInt32) {
        header.put(0, [0x51, 0x46, 0x49, 0xfb])
        header.big(4, version)
        header.big(20, clusterBits)
        header.big(24, capacity)
        header.big(36, entries)
        header.big(40, UInt64(2) << UInt64(clusterBits))
        header.big(48, UInt64(1) << UInt64(clusterBits))
        header.big(56, UInt32(1))
    }

    static let qed = FakeImage(
        length: 4096 * 2,
        (
            0,
            HeaderBytes.make(80) {
                $0.put(0, "QED\0")
                $0.little(4, UInt32(4096))
                $0.little(8, UInt32(1))
                $0.little(12, UInt32(1))
                $0.little(16, UInt64(0b101))
                $0.little(40, UInt64(4096))
                $0.little(48, capacity)
                $0.little(56, UInt32(64))
                $0.little(60, UInt32(8))
                $0.put(64, "base.img")
            }
        ))

    static let vdi = FakeImage(
        (
            0,
            HeaderBytes.make(512 + 40) {
                $0.put(0, "<<< QEMU VM Virtual Disk Image >>>\n")
                $0.little(0x40, 0xbeda_107f as UInt32)
                $0.little(0x44, 0x0001_0001 as UInt32)
                $0.little(0x4c, UInt32(1))
                $0.little(0x154, UInt32(512))
                $0.little(0x158, UInt32(1024))
                $0.little(0x168, UInt32(512))
                $0.little(0x170, capacity - 100)
                $0.little(0x178, UInt32(1 << 20))
                $0.little(0x180, UInt32(3))
            }
        ))

    static let bochs = FakeImage(
        (
            0,
            HeaderBytes.make(512 + 16) {
                $0.put(0, "Bochs Virtual HD Image")
                $0.put(32, "Redolog")
                $0.put(48, "Growing")
                $0.little(64, 0x0002_0000 as UInt32)
                $0.little(68, UInt32(512))
                $0.little(72, UInt32(4))
                $0.little(76, UInt32(512))
                $0.little(80, UInt32(1 << 20))
                $0.little(88, capacity)
            }
        ))

    static let cloop = FakeImage(
        (
            0,
            HeaderBytes.make(136 + 32) {
                $0.put(0, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n")
                $0.big(128, UInt32(1 << 20))
                $0.big(132, UInt32(3))
            }
        ))

    static func parallels(_ magic: String) -> FakeImage {
        FakeImage(
            (
                0,
                HeaderBytes.make(64 + 40) {
                    $0.put(0, magic)
                    $0.little(16, UInt32(2))
                    $0.little(28, UInt32(2048))
                    $0.little(32, UInt32(10))
                    $0.little(36, capacity / 512)
                    $0.little(44, 0x746f_6e59 as UInt32)
                }
            ))
    }

    static let luks1 = FakeImage(
        length: 4096 + capacity,
        (
            0,
            HeaderBytes.make(592) {
                $0.put(0, [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe])
                $0.big(6, UInt16(1))
                $0.put(8, "aes")
                $0.put(40, "xts-plain64")
                $0.big(104, UInt32(8))
            }
        ))

    static let luks2 = luks2(#""0":{"type":"crypt","offset":"16384","size":"dynamic","iv_tweak":"0","encryption":"aes-xts-plain64"}"#)

    static func luks2(_ segments: String, before: String = #""keyslots":{"0":{"type":"luks2","area":{"size":"258048"}}},"tokens":{},"#)
        -> FakeImage
    {
        FakeImage(
            length: 16384 + capacity,
            (
                0,
                HeaderBytes.make(208) {
                    $0.put(0, [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe])
                    $0.big(6, UInt16(2))
                    $0.big(8, UInt64(16384))
                }
            ), (4096, Array("{\(before)\"segments\":{\(segments)},\"digests\":{},\"config\":{\"json_size\":\"12288\"}}".utf8)))
    }
}
