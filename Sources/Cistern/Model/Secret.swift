// SPDX-License-Identifier: LGPL-2.1-or-later

/// A passphrase on its way to where it is needed: never printed, never written to anything that lasts.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    /// Most bytes that a secret may have.
    public static let limit = 8192
    /// The secret itself.
    public let bytes: [UInt8]

    /// Bytes that nobody else should see.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    public var description: String { "(a secret)" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
