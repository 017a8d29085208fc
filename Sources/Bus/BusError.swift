// SPDX-License-Identifier: LGPL-2.1-or-later
import Glibc

/// An error as it travels over a bus: a name for programs and one sentence for people.
public struct BusError: Error, Hashable, CustomStringConvertible {
    public let name: String
    public let message: String

    public init(_ name: String, _ message: String) {
        self.name = name
        self.message = message
    }

    public var description: String { message.isEmpty ? name : "\(name): \(message)" }

    private static func standard(_ name: String, _ message: String) -> BusError { BusError("org.freedesktop.DBus.Error." + name, message) }

    public static func invalidArguments(_ message: String) -> BusError { standard("InvalidArgs", message) }
    public static func accessDenied(_ message: String) -> BusError { standard("AccessDenied", message) }
    public static func interactionRequired(_ message: String) -> BusError { standard("InteractiveAuthorizationRequired", message) }
    public static func unknownObject(_ message: String) -> BusError { standard("UnknownObject", message) }
    public static func unknownInterface(_ message: String) -> BusError { standard("UnknownInterface", message) }
    public static func unknownMethod(_ message: String) -> BusError { standard("UnknownMethod", message) }
    public static func unknownProperty(_ message: String) -> BusError { standard("UnknownProperty", message) }
    public static func propertyReadOnly(_ message: String) -> BusError { standard("PropertyReadOnly", message) }
    public static func limitsExceeded(_ message: String) -> BusError { standard("LimitsExceeded", message) }
    public static func addressInUse(_ message: String) -> BusError { standard("AddressInUse", message) }
    public static func disconnected(_ message: String) -> BusError { standard("Disconnected", message) }
    public static func failed(_ message: String) -> BusError { standard("Failed", message) }

    /// What a failed libsystemd call, or an errno of either sign, means. `doing` continues "cannot".
    public static func errno(_ code: Int32, doing operation: String = "use the bus") -> BusError {
        let code = abs(code)
        let message = "cannot \(operation): \(String(cString: strerror(code)))"
        return switch code {
        case ENOTCONN, ECONNRESET, EPIPE, ESHUTDOWN, ECONNREFUSED, ENOENT: disconnected(message)
        case EACCES, EPERM: accessDenied(message)
        case EINVAL, ENXIO, EBADMSG: invalidArguments(message)
        case ETIMEDOUT: standard("Timeout", message)
        case ENOMEM: standard("NoMemory", message)
        case ENOBUFS, EMFILE, ENFILE, EMSGSIZE: limitsExceeded(message)
        default: failed(message)
        }
    }
}

@inline(__always)
func check(_ result: Int32, _ operation: @autoclosure () -> String = "use the bus") throws(BusError) {
    if result < 0 { throw .errno(result, doing: operation()) }
}
