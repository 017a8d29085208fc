// SPDX-License-Identifier: LGPL-2.1-or-later
import Glibc

/// A call of libudev that failed.
public struct UdevError: Error, Hashable, CustomStringConvertible {
    /// What was tried, as a phrase that continues "cannot": "look up device 8:16".
    public let operation: String
    /// The errno, always positive.
    public let code: Int32

    init(_ operation: String, code: Int32) {
        self.operation = operation
        self.code = abs(code)
    }

    public var description: String { "cannot \(operation): \(String(cString: strerror(code)))" }
}
