// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CSystemd
import Glibc

/// Reads the values of one received message in order. Whatever a peer sent, reading ends in values or in an error. Stays on the loop's
/// thread.
public final class MessageReader {
    /// Borrowed: whoever made the reader keeps the message.
    private let message: OpaquePointer
    /// How many values may still be read: what a stranger sends must not cost a multiple of its size, nor hold up the loop.
    private var budget: Int
    /// Bytes of text read so far, a hint at how much memory the values take.
    private(set) var bytes = 0
    /// What `Options.read` accepts.
    var schema: OptionSchema?

    /// Values a caller's arguments may consist of.
    static let callerBudget = 1 << 18

    init(_ message: OpaquePointer, budget: Int = .max) {
        self.message = message
        self.budget = budget
    }

    public func read<T: DBusType>(_: T.Type = T.self) throws(BusError) -> T { try T.read(self) }

    // MARK: Basic values

    @inline(__always)
    func basic<T: BitwiseCopyable>(_ code: Unicode.Scalar, _ initial: T) throws(BusError) -> T {
        try spend()
        var value = initial
        let result = withUnsafeMutablePointer(to: &value) { sd_bus_message_read_basic(message, CChar(code.value), $0) }
        if result <= 0 { throw Self.mismatch(result) }
        return value
    }

    /// `code` is s, o or g.
    func string(_ code: Unicode.Scalar) throws(BusError) -> String {
        try spend()
        var pointer: UnsafePointer<CChar>?
        let result = withUnsafeMutablePointer(to: &pointer) { sd_bus_message_read_basic(message, CChar(code.value), $0) }
        guard result > 0, let pointer else { throw Self.mismatch(result) }
        let text = String(cString: pointer)
        bytes += text.utf8.count
        return text
    }

    // MARK: Containers

    /// Enters the next container; false at the end of the array around it.
    func enter(_ kind: Unicode.Scalar, _ contents: String) throws(BusError) -> Bool {
        try spend()
        let result = contents.withCString { sd_bus_message_enter_container(message, CChar(kind.value), $0) }
        if result < 0 { throw Self.mismatch(result) }
        return result > 0
    }

    /// Enters a container that must be there.
    func begin(_ kind: Unicode.Scalar, _ contents: String) throws(BusError) {
        guard try enter(kind, contents) else { throw Self.mismatch(0) }
    }

    func end() throws(BusError) { try check(sd_bus_message_exit_container(message), "leave a container of the message") }

    /// Whether the container that was entered last has been read.
    var isAtEnd: Bool { sd_bus_message_at_end(message, 0) != 0 }

    /// The type of the variant that comes next.
    func variantContents() throws(BusError) -> String {
        var kind = CChar(0)
        var contents: UnsafePointer<CChar>?
        let result = sd_bus_message_peek_type(message, &kind, &contents)
        guard result > 0, kind == CChar(UInt8(ascii: "v")) else { throw Self.mismatch(result) }
        return text(contents)
    }

    private func spend() throws(BusError) {
        budget -= 1
        if budget < 0 {
            throw .limitsExceeded("The arguments consist of more than \(Self.callerBudget) values; send less at once.")
        }
    }

    private static func mismatch(_ result: Int32) -> BusError {
        result < 0 && result != -ENXIO && result != -EBADMSG
            ? .errno(result, doing: "read the message")
            : .invalidArguments("The message holds other values than expected; introspect the object to see its signatures.")
    }
}
