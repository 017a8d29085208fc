// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CSystemd
public import EventLoop
import Glibc

/// One connection to a bus, or to one peer, served by the event loop.
@LoopActor
public final class Connection {
    public enum Address: Sendable, Equatable {
        case system, session
        /// A D-Bus address, as in DBUS_SYSTEM_BUS_ADDRESS.
        case custom(String)
    }

    let raw: OpaquePointer
    /// Our name on the bus, such as ":1.42"; "" when there is no bus but one peer.
    public nonisolated let uniqueName: String
    /// Called once when the other side closed the connection.
    public var onDisconnect: (@LoopActor () -> Void)?

    /// Answers method calls; what it returns goes to sd-bus.
    var handler: (@LoopActor (OpaquePointer) -> Int32)?
    var pending: [ObjectIdentifier: PendingReply] = [:]
    var streams: [ObjectIdentifier: SignalStream] = [:]
    var users: [String: UInt32] = [:]
    private var drain = 0
    /// A message has come in this turn of the loop, so there may be another one.
    private var hasReceived = false
    private(set) var isClosed = false

    /// A connection to a bus. Fails at once if the bus cannot be reached or does not let us in.
    public static func open(_ address: Address, description: String) throws(BusError) -> Connection {
        var created: OpaquePointer?
        let operation: String
        switch address {
        case .system:
            operation = "reach the system bus"
            try check(sd_bus_open_system_with_description(&created, description), operation)
        case .session:
            operation = "reach the session bus"
            try check(sd_bus_open_user_with_description(&created, description), operation)
        case .custom(let text):
            operation = "reach the bus at \(text)"
            try check(sd_bus_new(&created), operation)
            let result = start(created, description, text)
            if result < 0 { sd_bus_unref(created) }
            try check(result, operation)
        }
        guard let created else { throw .failed("cannot \(operation)") }
        var name: UnsafePointer<CChar>?
        let result = sd_bus_get_unique_name(created, &name)  // waits for the bus to greet us
        if result < 0 { sd_bus_close_unref(created) }
        try check(result, operation)
        return try Connection(created, uniqueName: text(name))
    }

    private static func start(_ bus: OpaquePointer?, _ description: String, _ address: String) -> Int32 {
        for result in [
            sd_bus_set_description(bus, description), sd_bus_set_address(bus, address), sd_bus_set_bus_client(bus, 1), sd_bus_start(bus),
        ] where result < 0 { return result }
        return 0
    }

    /// A connection to one peer over a connected socket, which it takes over; for tests. Exactly one side is the server.
    public static func peer(descriptor: Int32, server: Bool) throws(BusError) -> Connection {
        var created: OpaquePointer?
        try check(sd_bus_new(&created))
        var id = sd_id128_t()
        sd_id128_randomize(&id)
        var results = [sd_bus_set_fd(created, descriptor, descriptor)]
        if server { results += [sd_bus_set_server(created, 1, id)] }
        results += [sd_bus_set_anonymous(created, 1), sd_bus_set_trusted(created, 1), sd_bus_negotiate_fds(created, 1)]
        results.append(sd_bus_start(created))
        guard let created, results.allSatisfy({ $0 >= 0 }) else {
            sd_bus_close_unref(created)
            throw .failed("cannot talk over descriptor \(descriptor)")
        }
        return try Connection(created, uniqueName: "")
    }

    private init(_ raw: OpaquePointer, uniqueName: String) throws(BusError) {
        self.raw = raw
        self.uniqueName = uniqueName
        Memory.prepare()
        try check(sd_bus_attach_event(raw, Loop.shared.rawEvent, 0), "attach the bus to the event loop")
        drain = Loop.shared.addDrain { [weak self] in self?.processQueued() }
        let context = Unmanaged.passUnretained(self).toOpaque()
        let noticed = sd_bus_add_filter(
            raw, nil,
            { _, context, _ in
                guard let context else { return 0 }
                LoopActor.assumeIsolated { Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue().hasReceived = true }
                return 0
            }, context)
        try check(noticed, "see messages come in")
        let handled = sd_bus_add_fallback(
            raw, nil, "/",
            { message, context, _ in
                guard let message, let context else { return 0 }
                return LoopActor.assumeIsolated { Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue().handler?(message) ?? 0 }
            }, context)
        try check(handled, "answer method calls")
        let watched = sd_bus_match_signal(
            raw, nil, nil, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local", "Disconnected",
            { _, context, _ in
                guard let context else { return 0 }
                LoopActor.assumeIsolated { Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue().disconnected() }
                return 0
            }, context)
        try check(watched, "watch the connection")
    }

    isolated deinit {
        Loop.shared.removeDrain(drain)
        for stream in streams.values { stream.finish() }
        sd_bus_close_unref(raw)
    }

    /// What sd-bus has read already is handled in this turn: that saves a turn of the loop per message.
    private func processQueued() {
        guard hasReceived else { return }
        var left = 64
        while left > 0, !isClosed, sd_bus_process(raw, nil) > 0 { left -= 1 }
        hasReceived = false
    }

    private func disconnected() {
        guard !isClosed else { return }
        abandon()
        let notify = onDisconnect
        onDisconnect = nil
        notify?()
    }

    /// Ends everything that waits for this connection.
    private func abandon() {
        for call in pending.values { call.fail(.disconnected("The connection to the bus was closed.")) }
        pending.removeAll()
        for stream in streams.values { stream.finish() }
        streams.removeAll()
    }

    /// Writes out what is queued; waits for the bus to take it. A peer without a bus may be served by this very thread: it is not
    /// waited for.
    public func flush() {
        if !uniqueName.isEmpty { sd_bus_flush(raw) }
    }

    /// Writes out what is queued and closes. Calls that wait for a reply fail, streams of signals end.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        onDisconnect = nil
        handler = nil
        abandon()
        flush()
        sd_bus_detach_event(raw)
        sd_bus_close(raw)
    }

    /// Queues a message that expects no reply.
    func send(_ message: OpaquePointer) throws(BusError) { try check(sd_bus_send(raw, message, nil), "send a message") }

    /// Emits a signal to everybody, or to one receiver.
    public func emit<each A: DBusType>(
        _ path: ObjectPath, _ interface: String, _ member: String, _ arguments: repeat each A
    ) throws(BusError) {
        try signal(path, interface, member, to: nil) { writer throws(BusError) in
            repeat try (each arguments).append(writer)
        }
    }

    func signal(
        _ path: ObjectPath, _ interface: String, _ member: String, to destination: String?,
        _ fill: @LoopActor (MessageWriter) throws(BusError) -> Void
    ) throws(BusError) {
        var created: OpaquePointer?
        let result = sd_bus_message_new_signal(raw, &created, path.description, interface, member)
        guard result >= 0, let created else { throw .errno(result, doing: "emit \(interface).\(member)") }
        let message = Message(adopting: created)
        if let destination { try check(sd_bus_message_set_destination(created, destination)) }
        try fill(MessageWriter(created))
        try send(message.raw)
    }
}
