// SPDX-License-Identifier: LGPL-2.1-or-later
import Glibc

/// A small file system of its own, unmounted with the last reference. Needs root.
final class SmallDisk: Sendable {
    let path: String
    private let image: String?

    /// A tmpfs.
    init(at path: String, megabytes: Int) throws {
        self.path = path
        image = nil
        mkdir(path, 0o755)
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(megabytes)m,mode=755") == 0 else { throw Failure("cannot mount a tmpfs") }
    }

    /// A file system made by a program, such as `mkfs.ext4 -q -O ^extent`, in a loop device.
    init(at path: String, megabytes: Int, makingWith command: [String]) throws {
        self.path = path
        let image = path + ".img"
        self.image = image
        mkdir(path, 0o755)
        try TestFiles.make(image, UInt64(megabytes) << 20)
        let line = (command + [image]).joined(separator: " ") + " >/dev/null 2>&1 && mount -o loop \(image) \(path) 2>/dev/null"
        guard TestFiles.run("sh", "-c", line) == 0 else { throw Failure("cannot make or mount a file system with \(command)") }
    }

    deinit { umount2(path, Int32(MNT_DETACH)) }

    /// Whether the machine lets us mount an image made by this program.
    static func canMake(with program: String) -> Bool {
        getuid() == 0 && access("/dev/loop-control", F_OK) == 0
            && ["/sbin/", "/usr/sbin/", "/usr/bin/"].contains { access($0 + program, X_OK) == 0 }
    }
}
