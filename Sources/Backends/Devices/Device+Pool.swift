// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop
import Glibc
import Udev

/// The device that a pool stands on. All of this may block.
extension Device {
    /// The device that a definition names.
    ///
    /// - Throws: `unavailable` if there is none at the path.
    static func required(at path: String, of pool: String) throws -> Device {
        let found: Device?
        do throws(UdevError) { found = try find(at: path) } catch {
            guard error.code == ENOTBLK else { throw Errno(error.code) }
            throw StorageError(.unavailable, "\(path) of pool \(pool) is no block device; name one.")
        }
        guard let found else { throw StorageError(.unavailable, "Device \(path) of pool \(pool) is not there; connect it.") }
        return found
    }

    /// Opens the device so that nobody else can take it as a whole: neither by mounting it nor as a part of something.
    ///
    /// - Throws: EBUSY if somebody has.
    func claim() throws(Errno) -> Descriptor {
        Descriptor(owning: try checked(open(node, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC)))
    }

    /// Keeps udev, and all who keep to the rule, from looking at the disk until the descriptor is closed, and the kernel from giving its
    /// name to another one: systemd's "Locking Block Device Access".
    ///
    /// - Throws: EWOULDBLOCK while somebody else has locked it, as udev does for a moment.
    func lockDisk() throws -> Descriptor {
        let disk: Device?
        do throws(UdevError) { disk = try wholeDisk() } catch { throw Errno(error.code) }
        guard let disk else { throw Errno(ENODEV) }
        let descriptor = Descriptor(owning: try checked(open(disk.node, O_RDONLY | O_NONBLOCK | O_CLOEXEC)))
        _ = try checked(flock(descriptor.raw, LOCK_EX | LOCK_NB))
        return descriptor
    }
}
