// SPDX-License-Identifier: LGPL-2.1-or-later
import Glibc

/// A system call of the event loop, or of something it runs, that failed.
public struct LoopError: Error, Hashable, CustomStringConvertible {
    /// What was tried, as a phrase that continues "cannot": "watch descriptor 7".
    public let operation: String
    /// The errno, always positive.
    public let code: Int32

    public init(_ operation: String, code: Int32) {
        self.operation = operation
        self.code = abs(code)
    }

    public var description: String { "cannot \(operation): \(String(cString: strerror(code)))" }
}

/// Throws what a negative result of an sd-event call means.
@inline(__always)
func check(_ result: Int32, _ operation: @autoclosure () -> String) throws(LoopError) {
    if result < 0 { throw LoopError(operation(), code: -result) }
}
