// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CSystemd
internal import EventLoop

/// One outgoing call: waits for the reply, for cancellation, or for the end of the connection, whichever comes first.
@LoopActor
final class PendingReply {
    private var slot: OpaquePointer?
    private var continuation: CheckedContinuation<Message, any Error>?

    isolated deinit { sd_bus_slot_unref(slot) }

    func start(_ connection: Connection, _ request: Message, _ timeout: UInt64, _ continuation: CheckedContinuation<Message, any Error>) {
        // Not retained: the slot is gone before this object is.
        let context = Unmanaged.passUnretained(self).toOpaque()
        let result = sd_bus_call_async(
            connection.raw, &slot, request.raw,
            { reply, context, _ in
                guard let reply, let context else { return 0 }
                LoopActor.assumeIsolated { Unmanaged<PendingReply>.fromOpaque(context).takeUnretainedValue().received(reply) }
                return 1
            }, context, timeout)
        if result < 0 {
            continuation.resume(throwing: BusError.errno(result, doing: "call over the bus"))
        } else {
            self.continuation = continuation
        }
    }

    private func received(_ reply: OpaquePointer) {
        let message = Message(retaining: reply)
        let waiting = continuation
        continuation = nil
        if let error = message.error { waiting?.resume(throwing: error) } else { waiting?.resume(returning: message) }
    }

    func fail(_ error: BusError) { end(error) }

    func cancel() { end(CancellationError()) }

    private func end(_ error: any Error) {
        slot = sd_bus_slot_unref(slot)
        let waiting = continuation
        continuation = nil
        waiting?.resume(throwing: error)
    }
}

extension Connection {
    /// Calls a method and waits for its result. Cancelling the task forgets the reply and throws CancellationError.
    ///
    /// `interactive` allows the other side to ask the user for authorization. A reply of other types than expected is an error.
    public func call<each In: DBusType, each Out: DBusType>(
        _ destination: String, _ path: ObjectPath, _ interface: String, _ member: String, _ arguments: repeat each In,
        returning: repeat (each Out).Type, timeout: Duration = .seconds(25), interactive: Bool = false
    ) async throws -> sending (repeat each Out) {
        let request = try newCall(destination, path, interface, member, interactive)
        let writer = MessageWriter(request.raw)
        repeat try (each arguments).append(writer)
        let reply = try await exchange(request, timeout)
        let expected = joinedSignature(repeat (each Out).self)
        guard reply.signature == expected else {
            throw BusError.failed("\(interface).\(member) of \(destination) returned (\(reply.signature)), not (\(expected)).")
        }
        let reader = MessageReader(reply.raw)
        return (repeat try (each Out).read(reader))
    }

    /// Calls a method whose types are only known at run time.
    public func call(
        _ destination: String, _ path: ObjectPath, _ interface: String, _ member: String, dynamic body: [Variant],
        timeout: Duration = .seconds(25), interactive: Bool = false
    ) async throws -> [Variant] {
        let request = try newCall(destination, path, interface, member, interactive)
        let writer = MessageWriter(request.raw)
        for value in body { try value.appendContents(writer) }
        return try await exchange(request, timeout).values()
    }

    func newCall(
        _ destination: String, _ path: ObjectPath, _ interface: String, _ member: String, _ interactive: Bool
    ) throws(BusError) -> Message {
        var created: OpaquePointer?
        let result = sd_bus_message_new_method_call(
            raw, &created, destination.isEmpty ? nil : destination, path.description, interface, member)
        guard result >= 0, let created else { throw .errno(result, doing: "call \(interface).\(member) of \(destination)") }
        let message = Message(adopting: created)
        if interactive { try check(sd_bus_message_set_allow_interactive_authorization(created, 1)) }
        return message
    }

    func exchange(_ request: Message, _ timeout: Duration) async throws -> Message {
        let call = PendingReply()
        let microseconds = UInt64(max(1, min(timeout / .microseconds(1), 1e15)))
        pending[ObjectIdentifier(call)] = call
        defer { pending[ObjectIdentifier(call)] = nil }
        return try await withTaskCancellationHandler {
            try Task.checkCancellation()
            // Without the preference a resumed task takes a detour over a thread of the global pool.
            return try await withTaskExecutorPreference(Loop.shared) {
                try await withCheckedThrowingContinuation { call.start(self, request, microseconds, $0) }
            }
        } onCancel: {
            Task(executorPreference: Loop.shared) { @LoopActor in call.cancel() }
        }
    }
}

extension Message {
    /// All values of the body.
    func values() throws(BusError) -> [Variant] {
        let reader = MessageReader(raw)
        var values: [Variant] = []
        for type in Signature.split(signature) ?? [] { values.append(try Variant.read(type, reader)) }
        return values
    }
}
