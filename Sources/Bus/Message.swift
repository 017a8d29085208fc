// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CSystemd
internal import EventLoop

/// One reference to an sd_bus_message. Its count is not atomic, so the last release must happen on the loop's thread, wherever the
/// task that held it ended.
@LoopActor
final class Message {
    let raw: OpaquePointer

    init(adopting raw: OpaquePointer) { self.raw = raw }
    init(retaining raw: OpaquePointer) { self.raw = sd_bus_message_ref(raw) }

    isolated deinit { sd_bus_message_unref(raw) }

    /// The error this message carries, if it is one.
    var error: BusError? {
        guard let error = sd_bus_message_get_error(raw), let name = error.pointee.name else { return nil }
        return BusError(String(cString: name), error.pointee.message.map { String(cString: $0) } ?? "")
    }

    /// The sender's number of this message.
    var serial: UInt64 {
        var serial: UInt64 = 0
        sd_bus_message_get_cookie(raw, &serial)
        return serial
    }

    var signature: String { text(sd_bus_message_get_signature(raw, 1)) }
    var sender: String { text(sd_bus_message_get_sender(raw)) }
    var path: String { text(sd_bus_message_get_path(raw)) }
    var interface: String { text(sd_bus_message_get_interface(raw)) }
    var member: String { text(sd_bus_message_get_member(raw)) }
}

/// The text of a C string, "" if there is none.
@inline(__always)
func text(_ pointer: UnsafePointer<CChar>?) -> String {
    guard let pointer else { return "" }
    return String(cString: pointer)
}
