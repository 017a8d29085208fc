// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CSystemd
import Glibc

/// Appends values to one message that is being made. Counts the bytes, and refuses what a bus would refuse: past the limit of a bus
/// (32 MiB) the sender is disconnected. Stays on the loop's thread, and must not be used once the message is sent.
public final class MessageWriter {
    /// Borrowed: whoever made the writer keeps the message.
    private let message: OpaquePointer
    private let limit: Int
    private let remedy: String
    /// The size of the body so far.
    public private(set) var bytes = 0

    static let busLimit = 31 << 20

    init(_ message: OpaquePointer, limit: Int = busLimit, remedy: String = "ask for less at once") {
        self.message = message
        self.limit = limit
        self.remedy = remedy
    }

    public func append(_ value: some DBusType) throws(BusError) { try value.append(self) }

    // MARK: Containers, for values that are written piece by piece

    /// Begins an array of `element`, a complete type; `{kv}` for a dictionary.
    public func beginArray(_ element: String) throws(BusError) {
        try count(4, alignment: 4)
        try open("a", element)
    }

    /// Begins a structure of the types in `contents`.
    public func beginStructure(_ contents: String) throws(BusError) {
        try count(0, alignment: 8)
        try open("r", contents)
    }

    /// Begins an entry of a dictionary; `contents` is the key's type and the value's.
    public func beginEntry(_ contents: String) throws(BusError) {
        try count(0, alignment: 8)
        try open("e", contents)
    }

    /// Begins a variant that holds one value of the complete type `contents`.
    public func beginVariant(_ contents: String) throws(BusError) {
        try count(contents.utf8.count + 2, alignment: 1)
        try open("v", contents)
    }

    /// Ends what was begun last.
    public func end() throws(BusError) { try check(sd_bus_message_close_container(message), "end a container") }

    @inline(__always)
    private func open(_ kind: Unicode.Scalar, _ contents: String) throws(BusError) {
        let result = contents.withCString { sd_bus_message_open_container(message, CChar(kind.value), $0) }
        if result < 0 { throw .errno(result, doing: "append a container of \(contents)") }
    }

    // MARK: Basic values

    @inline(__always)
    func basic<T: BitwiseCopyable>(_ code: Unicode.Scalar, _ value: T, size: Int) throws(BusError) {
        try count(size, alignment: size)
        let result = withUnsafePointer(to: value) { sd_bus_message_append_basic(message, CChar(code.value), $0) }
        if result < 0 { throw .errno(result, doing: "append a value of type \(code)") }
    }

    /// `code` is s, o or g.
    func string(_ code: Unicode.Scalar, _ text: String) throws(BusError) {
        let length = text.utf8.count
        try count(length + 5, alignment: code == "g" ? 1 : 4)
        let result = text.withCString { pointer -> Int32 in
            guard strlen(pointer) == length else { return Int32.min }
            return sd_bus_message_append_basic(message, CChar(code.value), pointer)
        }
        if result == Int32.min { throw .invalidArguments("A text with a NUL character cannot be sent over D-Bus.") }
        if result < 0 { throw .errno(result, doing: "append a text") }
    }

    @inline(__always)
    private func count(_ size: Int, alignment: Int) throws(BusError) {
        bytes = ((bytes + alignment - 1) & ~(alignment - 1)) + size
        if bytes > limit { throw .limitsExceeded("The message would be larger than \(limit >> 20) MiB; \(remedy).") }
    }
}
