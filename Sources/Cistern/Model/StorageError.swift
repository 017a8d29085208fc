// SPDX-License-Identifier: LGPL-2.1-or-later

/// Why an operation could not be done: a code that programs act on, a sentence that people read.
public struct StorageError: Error, Sendable, Hashable {
    /// What kind of failure it is. Each code is one D-Bus error name; the names are API.
    public enum Code: String, CaseIterable, Sendable {
        case invalidXML = "InvalidXML"
        case invalidArguments = "InvalidArgs"
        case notFound = "NotFound"
        case exists = "Exists"
        case busy = "Busy"
        case poolInactive = "PoolInactive"
        case notSupported = "NotSupported"
        case noSpace = "NoSpace"
        case shrinkRefused = "ShrinkRefused"
        case signatureFound = "SignatureFound"
        case timedOut = "TimedOut"
        case cancelled = "Cancelled"
        case interrupted = "Interrupted"
        case unavailable = "Unavailable"
        case accessDenied = "AccessDenied"
        case limitsExceeded = "LimitsExceeded"
        case failed = "Failed"
    }

    /// What kind of failure it is.
    public let code: Code
    /// One sentence for an administrator: the object, the cause, the way out.
    public let message: String

    /// Makes an error; `message` must stand alone, since many clients show nothing else.
    ///
    /// What somebody else wrote into it may be long: of more than ``limit`` bytes, beginning and end are kept.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message.utf8.count <= Self.limit ? message : "\(message.prefix(Self.limit / 6)) … \(message.suffix(Self.limit / 12))"
    }

    /// Most bytes of a message. A character may have several, so what is kept of a long one is less.
    static let limit = 900
}
