// SPDX-License-Identifier: LGPL-2.1-or-later
import Glibc

/// What happened to a block device, told when udev has finished with it.
public struct Event: Sendable, Hashable {
    /// ACTION.
    public enum Action: Sendable, Hashable {
        case add, change, remove
        /// Such as "move", "online".
        case other(String)

        init(_ word: String) {
            switch word {
            case "add": self = .add
            case "change": self = .change
            case "remove": self = .remove
            default: self = .other(word)
            }
        }
    }

    public let action: Action
    /// As it was at this event, gone or not.
    public let device: Device
    /// SEQNUM: the kernel counts all events of the machine since it booted. udev tells of different devices out of order.
    public let sequence: UInt64

    public init(_ action: Action, _ device: Device, sequence: UInt64 = 0) {
        self.action = action
        self.device = device
        self.sequence = sequence
    }

    /// The number of the kernel's last event: all later ones have higher numbers. Blocks; any thread but the loop's.
    public static func lastSequence() throws(UdevError) -> UInt64 {
        let operation = "read the number of the last event"
        let descriptor = open("/sys/kernel/uevent_seqnum", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw UdevError(operation, code: errno) }
        defer { close(descriptor) }
        var digits = [UInt8](repeating: 0, count: 32)
        let count = read(descriptor, &digits, digits.count)
        guard count > 0 else { throw UdevError(operation, code: count < 0 ? errno : EIO) }
        return digits.prefix { (48...57).contains($0) }.reduce(0) { $0 * 10 + UInt64($1 - 48) }
    }
}
