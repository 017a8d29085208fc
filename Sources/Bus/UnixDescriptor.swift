// SPDX-License-Identifier: LGPL-2.1-or-later
import Glibc

/// A file descriptor that is sent or was received; owned, and closed with the last reference. Equal to itself only.
public final class UnixDescriptor: DBusType, Hashable {
    /// Valid as long as this object is referenced; duplicate it to keep it longer.
    public let descriptor: Int32

    /// Takes over a descriptor.
    public init(adopting descriptor: Int32) { self.descriptor = descriptor }

    /// Makes a descriptor of its own for the same open file.
    public convenience init(duplicating descriptor: Int32) throws(BusError) {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        if copy < 0 { throw .errno(errno, doing: "keep file descriptor \(descriptor)") }
        self.init(adopting: copy)
    }

    deinit { close(descriptor) }

    public static var signature: String { "h" }

    /// The message owns the descriptor it brings and closes it at its end, hence the duplicate.
    public static func read(_ reader: MessageReader) throws(BusError) -> UnixDescriptor {
        try UnixDescriptor(duplicating: reader.basic("h", Int32(-1)))
    }

    /// The message gets a duplicate.
    public func append(_ writer: MessageWriter) throws(BusError) { try writer.basic("h", descriptor, size: 4) }

    public static func == (left: UnixDescriptor, right: UnixDescriptor) -> Bool { left === right }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
