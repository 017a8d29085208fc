// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CSystemd
internal import EventLoop

/// A signal somebody emitted.
public struct ReceivedSignal: Sendable, Equatable {
    public let sender: String
    public let path: ObjectPath
    public let interface: String
    public let member: String
    public let body: [Variant]
    /// The sender's number of this message: what it sends carries ascending ones.
    public let serial: UInt64
}

/// One match, and the stream its signals go to.
@LoopActor
final class SignalStream {
    private var slot: OpaquePointer?
    private let output: AsyncStream<ReceivedSignal>.Continuation
    private var installing: CheckedContinuation<Void, any Error>?

    init(_ output: AsyncStream<ReceivedSignal>.Continuation) { self.output = output }

    isolated deinit { sd_bus_slot_unref(slot) }

    /// Resumes `continuation` once the bus has the match.
    func start(_ connection: Connection, _ rule: String, _ continuation: CheckedContinuation<Void, any Error>) {
        // Not retained: the slot is gone before this object is.
        let context = Unmanaged.passUnretained(self).toOpaque()
        let received: sd_bus_message_handler_t = { message, context, _ in
            guard let message, let context else { return 0 }
            LoopActor.assumeIsolated { Unmanaged<SignalStream>.fromOpaque(context).takeUnretainedValue().received(message) }
            return 0
        }
        if connection.uniqueName.isEmpty {
            let result = sd_bus_add_match(connection.raw, &slot, rule, received, context)
            return Self.finish(continuation, result < 0 ? .errno(result, doing: "watch signals") : nil)
        }
        installing = continuation
        let result = sd_bus_add_match_async(
            connection.raw, &slot, rule, received,
            { reply, context, _ in
                guard let reply, let context else { return 0 }
                LoopActor.assumeIsolated { Unmanaged<SignalStream>.fromOpaque(context).takeUnretainedValue().installed(reply) }
                return 0
            }, context)
        if result < 0 { installed(.errno(result, doing: "watch signals")) }
    }

    private func installed(_ reply: OpaquePointer) { installed(Message(retaining: reply).error) }

    private func installed(_ error: BusError?) {
        guard let waiting = installing else { return }
        installing = nil
        Self.finish(waiting, error)
    }

    private static func finish(_ continuation: CheckedContinuation<Void, any Error>, _ error: BusError?) {
        if let error { continuation.resume(throwing: error) } else { continuation.resume() }
    }

    /// A signal that cannot be read is passed over: nobody could be told.
    private func received(_ raw: OpaquePointer) {
        let message = Message(retaining: raw)
        sd_bus_message_rewind(raw, 1)
        guard let body = try? message.values() else { return }
        let signal = ReceivedSignal(
            sender: message.sender, path: ObjectPath(unchecked: message.path), interface: message.interface, member: message.member,
            body: body, serial: message.serial)
        output.yield(signal)
        sd_bus_message_rewind(raw, 1)
    }

    func finish() {
        slot = sd_bus_slot_unref(slot)
        installed(.disconnected("The connection to the bus was closed."))
        output.finish()
    }
}

extension Connection {
    /// The signals that fit all criteria given, from the moment this returns. The bus stops sending them when the stream is dropped.
    public func signals(
        sender: String? = nil, path: ObjectPath? = nil, pathNamespace: ObjectPath? = nil, interface: String? = nil, member: String? = nil,
        firstArgument: String? = nil
    ) async throws(BusError) -> AsyncStream<ReceivedSignal> {
        var rule = "type='signal'"
        for (key, value) in [
            ("sender", sender), ("path", path?.description), ("path_namespace", pathNamespace?.description), ("interface", interface),
            ("member", member), ("arg0", firstArgument),
        ] {
            guard let value else { continue }
            guard value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "'") && $0 != UInt8(ascii: "\\") }) else {
                throw .invalidArguments("'\(value)' is not a valid \(key) to watch signals of.")
            }
            rule += ",\(key)='\(value)'"
        }
        let (signals, output) = AsyncStream.makeStream(of: ReceivedSignal.self)
        let stream = SignalStream(output)
        let id = ObjectIdentifier(stream)
        streams[id] = stream
        do {
            try await withCheckedThrowingContinuation { stream.start(self, rule, $0) }
        } catch {
            streams[id] = nil
            throw error as? BusError ?? .failed("cannot watch signals: \(error)")
        }
        output.onTermination = { [weak self] _ in
            Task(executorPreference: Loop.shared) { @LoopActor in self?.streams.removeValue(forKey: id)?.finish() }
        }
        return signals
    }
}
