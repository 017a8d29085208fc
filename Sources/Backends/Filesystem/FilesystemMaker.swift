// SPDX-License-Identifier: LGPL-2.1-or-later

/// How a file system is made.
struct FilesystemMaker: Sendable {
    let tool: Tool
    /// Before the device: quiet, and without looking for what is there, which has been done.
    let arguments: [String]

    private init(_ program: String, _ package: String, _ arguments: [String]) {
        tool = Tool(program: program, package: package)
        self.arguments = arguments
    }

    /// By format. Whole disks are fine: that is what a pool asks for.
    static let all: [String: FilesystemMaker] = [
        "ext2": FilesystemMaker("mkfs.ext2", "e2fsprogs", ["-q", "-F"]),
        "ext3": FilesystemMaker("mkfs.ext3", "e2fsprogs", ["-q", "-F"]),
        "ext4": FilesystemMaker("mkfs.ext4", "e2fsprogs", ["-q", "-F"]),
        "xfs": FilesystemMaker("mkfs.xfs", "xfsprogs", ["-q", "-f"]),
        "btrfs": FilesystemMaker("mkfs.btrfs", "btrfs-progs", ["-q", "-f"]),
        "vfat": FilesystemMaker("mkfs.vfat", "dosfstools", ["-I"]),
        "exfat": FilesystemMaker("mkfs.exfat", "exfatprogs", []),
        "f2fs": FilesystemMaker("mkfs.f2fs", "f2fs-tools", ["-q", "-f"]),
    ]
}
