// SPDX-License-Identifier: LGPL-2.1-or-later

/// A value of a setting, of a job's result or of a type's details; each case has one D-Bus type.
public enum Value: Sendable, Hashable {
    case bool(Bool)
    case uint32(UInt32)
    case uint64(UInt64)
    case double(Double)
    case string(String)
    case strings([String])
    /// Name and port of each host; port 0 means the protocol's own.
    case hosts([Host])
    case map([String: Value])

    /// A host name and a port.
    public struct Host: Sendable, Hashable {
        /// Name or address.
        public let name: String
        /// TCP port; 0 is the protocol's default.
        public let port: UInt16

        /// A host at a port.
        public init(name: String, port: UInt16 = 0) {
            self.name = name
            self.port = port
        }
    }

    /// The D-Bus type that carries the value.
    public var signature: String {
        switch self {
        case .bool: "b"
        case .uint32: "u"
        case .uint64: "t"
        case .double: "d"
        case .string: "s"
        case .strings: "as"
        case .hosts: "a(sq)"
        case .map: "a{sv}"
        }
    }
}

/// A size that nobody knows; never to be mistaken for 0 bytes.
public let unknownSize = UInt64.max
