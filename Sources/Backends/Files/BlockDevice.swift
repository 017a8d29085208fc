// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Cistern
import Glibc

/// A block device by the path that a definition has for it. All of this may block.
struct BlockDevice: Sendable {
    let path: String
    let major: UInt32
    let minor: UInt32

    /// `8:16`, as in mountinfo and below /sys/dev/block.
    var number: String { "\(major):\(minor)" }

    /// - Throws: `unavailable` if there is none at the path.
    init(_ path: String, of pool: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw StorageError(.unavailable, "Device \(path) of pool \(pool) is not there: \(Errno.last.text); connect it.")
        }
        guard status.st_mode & S_IFMT == S_IFBLK else {
            throw StorageError(.unavailable, "\(path) of pool \(pool) is no block device; name one.")
        }
        self.path = path
        major = linux_major(status.st_rdev)
        minor = linux_minor(status.st_rdev)
    }

    /// The number of the disk that a partition is on; of a disk, its own.
    private var disk: String {
        let directory = "/sys/dev/block/\(number)"
        guard access(directory + "/partition", F_OK) == 0 else { return number }
        return KernelText.read(directory + "/../dev")?.trimmed ?? number
    }

    /// Opens the device so that nobody else can take it as a whole: neither by mounting it nor as a part of something.
    ///
    /// - Throws: EBUSY if somebody has.
    func claim() throws(Errno) -> Descriptor {
        Descriptor(owning: try checked(open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC)))
    }

    /// Keeps udev, and all who keep to the rule, from looking at the disk until the descriptor is closed: systemd's "Locking Block
    /// Device Access".
    func lockDisk() throws(Errno) -> Descriptor {
        let descriptor = Descriptor(owning: try checked(open("/dev/block/\(disk)", O_RDONLY | O_NONBLOCK | O_CLOEXEC)))
        _ = try checked(flock(descriptor.raw, LOCK_EX | LOCK_NB))
        return descriptor
    }
}

extension String {
    fileprivate var trimmed: String { String(prefix { !$0.isWhitespace }) }
}
