// SPDX-License-Identifier: LGPL-2.1-or-later

extension Samples {
    /// A sparse extent with its descriptor inside.
    static let vmdk = FakeImage(
        length: 1 << 16,
        (
            0,
            HeaderBytes.make(512) {
                $0.put(0, "KDMV")
                $0.little(4, UInt32(1))
                $0.little(8, UInt32(3))
                $0.little(12, capacity / 512)
                $0.little(20, UInt64(128))
                $0.little(28, UInt64(1))
                $0.little(36, UInt64(20))
                $0.little(44, UInt32(512))
                $0.little(64, UInt64(2))
            }
        ),
        (
            512,
            Array(
                """
                # Disk DescriptorFile
                version=1
                createType="monolithicSparse"
                parentFileNameHint="base.vmdk"
                RW 6144 SPARSE "image"

                """.utf8)
        ))

    static let vmdkText = vmdkText(
        """
        # Disk DescriptorFile
        version=1
        encoding="UTF-8"
        CID=fffffffe
        parentCID=ffffffff
        createType="custom"
        # Extents
        RW 4096 FLAT "image-f001.vmdk" 0
        RW 1024 ZERO
        RW 1024 SPARSE "image s002.vmdk"

        """)

    static let vmdkFlat = vmdkText(
        """
        # Disk DescriptorFile
        version=1
        createType="vmfs"
        RW 6144 VMFS "image-flat.vmdk"

        """)

    static func vmdkText(_ text: String) -> FakeImage { FakeImage((0, Array(text.utf8))) }

    static let cowd = FakeImage(
        (
            0,
            HeaderBytes.make(512) {
                $0.put(0, "COWD")
                $0.little(4, UInt32(1))
                $0.little(12, UInt32(capacity / 512))
                $0.little(16, UInt32(1))
            }
        ))
}
