// SPDX-License-Identifier: LGPL-2.1-or-later

/// How a file system is made.
struct FilesystemMaker: Sendable {
    let program: String
    /// Before the device: quiet, and without looking for what is there, which has been done.
    let arguments: [String]

    /// By format. Whole disks are fine: that is what a pool asks for.
    static let all: [String: FilesystemMaker] = [
        "ext2": FilesystemMaker(program: "mkfs.ext2", arguments: ["-q", "-F"]),
        "ext3": FilesystemMaker(program: "mkfs.ext3", arguments: ["-q", "-F"]),
        "ext4": FilesystemMaker(program: "mkfs.ext4", arguments: ["-q", "-F"]),
        "xfs": FilesystemMaker(program: "mkfs.xfs", arguments: ["-q", "-f"]),
        "btrfs": FilesystemMaker(program: "mkfs.btrfs", arguments: ["-q", "-f"]),
        "vfat": FilesystemMaker(program: "mkfs.vfat", arguments: ["-I"]),
        "exfat": FilesystemMaker(program: "mkfs.exfat", arguments: []),
        "f2fs": FilesystemMaker(program: "mkfs.f2fs", arguments: ["-q", "-f"]),
    ]
}
