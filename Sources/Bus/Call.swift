// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CSystemd
public import EventLoop

/// One method call that was received, until its reply is sent.
@LoopActor
public final class Call {
    /// The call the running handler answers.
    @TaskLocal public static var current: Call?

    let message: Message
    private let connection: Connection
    private var answered = false
    private var afterwards: [@LoopActor () -> Void] = []
    /// Whether what was asked for goes on after the reply; for those who tell of how calls have ended.
    public var isLeftToJob = false
    /// How much was read from and written to the messages, to tell when memory is worth giving back.
    var bytes = 0

    init(_ raw: OpaquePointer, _ connection: Connection) {
        message = Message(retaining: raw)
        self.connection = connection
    }

    isolated deinit { Memory.released(bytes) }

    /// The unique name of the caller; "" over a connection without a bus.
    public var sender: String { message.sender }
    public var path: ObjectPath { ObjectPath(unchecked: message.path) }
    public var interface: String { message.interface }
    public var member: String { message.member }

    /// Whether the caller lets us ask the user for authorization.
    public var allowsInteraction: Bool { sd_bus_message_get_allow_interactive_authorization(message.raw) > 0 }

    /// The user who calls, as the bus knows it.
    public func uid() async throws(BusError) -> UInt32 { try await connection.user(of: sender) }

    /// The first argument, if it is a string; for who must decide about the call before it is done.
    public var firstText: String? {
        sd_bus_message_rewind(message.raw, 1)
        var text: UnsafePointer<CChar>?
        guard message.signature.utf8.first == UInt8(ascii: "s"),
            sd_bus_message_read_basic(message.raw, CChar(UInt8(ascii: "s")), &text) > 0
        else { return nil }
        return text.map { String(cString: $0) }
    }

    /// Runs `body` right after the reply, or the error, has been queued; at once if it has been already.
    public func afterReply(_ body: @escaping @LoopActor () -> Void) {
        if answered { body() } else { afterwards.append(body) }
    }

    /// A new reply to this call.
    func newReply() throws(BusError) -> Message {
        var created: OpaquePointer?
        let result = sd_bus_message_new_method_return(message.raw, &created)
        guard result >= 0, let created else { throw .errno(result, doing: "reply") }
        return Message(adopting: created)
    }

    /// Sends the one reply. A reply that cannot be sent becomes an error.
    func reply(_ reply: Message, expected signature: String, bytes: Int = 0) {
        guard !answered else { return }
        self.bytes += bytes
        guard reply.signature == signature else {
            return fail(.failed("\(interface).\(member) made a reply (\(reply.signature)) other than it declares (\(signature))."))
        }
        let result = sd_bus_send(connection.raw, reply.raw, nil)
        if result < 0 { return fail(.errno(result, doing: "send the reply of \(interface).\(member)")) }
        finish()
    }

    /// Sends the one reply, an error. A caller that is gone, or a bus, costs nothing.
    func fail(_ error: BusError) {
        guard !answered else { return }
        message.replyError(error)
        finish()
    }

    private func finish() {
        answered = true
        let bodies = afterwards
        afterwards = []
        for body in bodies { body() }
    }
}

extension Message {
    /// Replies to this call with an error. Names that are not valid error names, and texts with NUL, are repaired.
    func replyError(_ error: BusError) {
        let name = sd_bus_interface_name_is_valid(error.name) > 0 ? error.name : "org.freedesktop.DBus.Error.Failed"
        var text = error.message
        if text.utf8.contains(0) { text = text.split(separator: "\0").joined(separator: " ") }
        var raw = sd_bus_error()
        sd_bus_error_set(&raw, name, text)
        sd_bus_reply_method_error(self.raw, &raw)
        sd_bus_error_free(&raw)
    }
}
