// SPDX-License-Identifier: LGPL-2.1-or-later

extension Samples {
    static let vpc = vpc(type: 3, creator: "win ", size: capacity)
    static let vpcOverlay = vpc(type: 4, creator: "qem2", size: capacity)

    /// A dynamic disk: footer, dynamic disk header, and a table of three blocks.
    static func vpc(type: UInt32, creator: String, size: UInt64, geometry: (UInt16, UInt8, UInt8) = (89, 4, 17)) -> FakeImage {
        FakeImage((0, vpcFooter(type, creator, size, geometry)), (512, vpcDynamic(size)), (1536, [UInt8](repeating: 0xff, count: 12)))
    }

    /// A fixed disk, which only its declaration tells from plain data.
    static func vpcFixed(creator: String, size: UInt64, geometry: (UInt16, UInt8, UInt8)) -> FakeImage {
        FakeImage(as: "vpc", (size, vpcFooter(2, creator, size, geometry)))
    }

    private static func vpcFooter(_ type: UInt32, _ creator: String, _ size: UInt64, _ geometry: (UInt16, UInt8, UInt8)) -> [UInt8] {
        withChecksum(
            HeaderBytes.make(512) {
                $0.put(0, "conectix")
                $0.big(12, 0x0001_0000 as UInt32)
                $0.big(16, type == 2 ? UInt64.max : 512)
                $0.put(28, creator)
                $0.big(40, size)
                $0.big(48, size)
                $0.big(56, geometry.0)
                $0.put(58, [geometry.1, geometry.2])
                $0.big(60, type)
            })
    }

    /// A footer with the checksum that its other bytes need.
    static func withChecksum(_ footer: [UInt8]) -> [UInt8] {
        var footer = footer
        footer.replaceSubrange(64..<68, with: [0, 0, 0, 0])
        let sum = ~footer[..<512].reduce(UInt32(0)) { $0 &+ UInt32($1) }
        footer.replaceSubrange(64..<68, with: (0..<4).map { UInt8(truncatingIfNeeded: sum >> (24 - 8 * $0)) })
        return footer
    }

    private static func vpcDynamic(_ size: UInt64) -> [UInt8] {
        HeaderBytes.make(1024) {
            $0.put(0, "cxsparse")
            $0.big(8, UInt64.max)
            $0.big(16, UInt64(1536))
            $0.big(28, UInt32(3))
            $0.big(32, UInt32(1 << 20))
            for (index, unit) in "Größe.vhd".utf16.enumerated() { $0.big(64 + index * 2, unit) }
        }
    }

    static let vhdx = vhdx(flags: 0)
    static let vhdxOverlay = vhdx(flags: 2)

    /// Region table at 192 KiB, metadata table at 1 MiB, metadata 64 KiB behind it.
    private static func vhdx(flags: UInt32) -> FakeImage {
        FakeImage((0, Array("vhdxfile".utf8)), (192 << 10, vhdxRegions(4096)), (1 << 20, vhdxTable()), (1 << 20 + 65536, vhdxItems(flags)))
    }

    private static func vhdxRegions(_ count: Int) -> [UInt8] {
        HeaderBytes.make(count) {
            $0.put(0, "regi")
            $0.little(8, UInt32(2))
            $0.put(16, identifier("2dc27766f62342009d64115e9bfd4a08"))
            $0.put(48, identifier("8b7ca20647904b9ab8fe575f050f886e"))
            $0.little(64, UInt64(1 << 20))
            $0.little(72, UInt32(1 << 20))
        }
    }

    private static func vhdxTable() -> [UInt8] {
        let items: [(String, UInt32, UInt32)] = [
            ("caa16737fa364d43b3b633f0aa44e76b", 0, 8), ("2fa54224cd1b4876b2115dbed83bf4b8", 8, 8),
            ("beca12abb2e6452393efc309e000c746", 16, 16), ("8141bf1da96f4709ba47f233a8faab5f", 32, 4),
            ("cda348c7445d44719cc9e9885251c556", 36, 4), ("a8d35f2db30b454dabf7d3d84834ab0c", 40, 128),
        ]
        return HeaderBytes.make(4096) {
            $0.put(0, "metadata")
            $0.little(10, UInt16(items.count))
            for (index, item) in items.enumerated() {
                $0.put(32 + index * 32, identifier(item.0))
                $0.little(48 + index * 32, 65536 + item.1)
                $0.little(52 + index * 32, item.2)
            }
        }
    }

    private static func vhdxItems(_ flags: UInt32) -> [UInt8] {
        let (key, value) = (Array("relative_path".utf16), Array(#"..\Größe.vhdx"#.utf16))
        return HeaderBytes.make(168) {
            $0.little(0, UInt32(8 << 20))
            $0.little(4, flags)
            $0.little(8, capacity)
            $0.little(32, UInt32(512))
            $0.little(36, UInt32(4096))
            $0.little(40 + 18, UInt16(1))
            $0.little(40 + 20, UInt32(32))
            $0.little(40 + 24, UInt32(64))
            $0.little(40 + 28, UInt16(key.count * 2))
            $0.little(40 + 30, UInt16(value.count * 2))
            for (index, unit) in key.enumerated() { $0.little(72 + index * 2, unit) }
            for (index, unit) in value.enumerated() { $0.little(104 + index * 2, unit) }
        }
    }

    /// A GUID's 32 digits as it lies in a file: its first three numbers are little-endian.
    private static func identifier(_ digits: String) -> [UInt8] {
        let digits = Array(digits.utf8)
        let bytes = stride(from: 0, to: 32, by: 2).map { UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16) ?? 0 }
        return [3, 2, 1, 0, 5, 4, 7, 6].map { bytes[$0] } + bytes[8...]
    }
}
