// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop

/// polkit's authority on the same bus: https://www.freedesktop.org/software/polkit/docs/latest/eggdbus-interface-org.freedesktop.PolicyKit1.Authority.html
@LoopActor final class Polkit {
    enum Answer: Sendable, Hashable {
        case yes, no
        /// Yes, if the user proves who they are, which they may not be asked now.
        case challenge
        /// There is no polkit on the bus.
        case absent
    }

    private static let name = "org.freedesktop.PolicyKit1"
    private static let authority: ObjectPath = "/org/freedesktop/PolicyKit1/Authority"
    private static let interface = "org.freedesktop.PolicyKit1.Authority"
    private static let bus = "org.freedesktop.DBus"
    private static let allowInteraction: UInt32 = 1
    /// A user who is asked may need a while.
    private static let patience = Duration.seconds(600)

    private let connection: Connection
    private var lastCheck: UInt64 = 0

    init(_ connection: Connection) { self.connection = connection }

    /// Asks whether the process behind a connection to the bus may do an action.
    ///
    /// - Parameters:
    ///   - details: what rules, and the user who is asked, are told.
    ///   - interactive: whether the user may be asked; then this takes as long as they need, or until the connection is closed.
    /// - Throws: `BusError` if polkit does not answer.
    func check(_ action: String, of sender: String, _ details: [String: String], interactive: Bool) async throws -> Answer {
        guard interactive else { return try await ask(action, sender, details, 0, "", .seconds(25)) }
        lastCheck += 1
        let id = "cistern-\(lastCheck)"
        let watch = Task { try await cancel(id, whenGone: sender) }
        defer { watch.cancel() }
        return try await ask(action, sender, details, Self.allowInteraction, id, Self.patience)
    }

    private func ask(
        _ action: String, _ sender: String, _ details: [String: String], _ flags: UInt32, _ id: String, _ patience: Duration
    ) async throws -> Answer {
        do {
            let reply = try await connection.call(
                Self.name, Self.authority, Self.interface, "CheckAuthorization",
                Struct("system-bus-name", ["name": Variant.string(sender)]), action, details, flags, id,
                returning: Struct<Bool, Bool, [String: String]>.self, timeout: patience)
            let (isAuthorized, isChallenge, _) = reply.values
            return isAuthorized ? .yes : isChallenge ? .challenge : .no
        } catch let error as BusError
            where error.name == Self.bus + ".Error.ServiceUnknown" || error.name == Self.bus + ".Error.NameHasNoOwner"
        {
            return .absent
        } catch let error as BusError where error.name == Self.name + ".Error.Cancelled" {
            return .no
        }
    }

    /// Nobody should be asked on behalf of somebody who is gone.
    private func cancel(_ id: String, whenGone sender: String) async throws {
        let changes = try await connection.signals(sender: Self.bus, interface: Self.bus, member: "NameOwnerChanged", firstArgument: sender)
        let path: ObjectPath = "/org/freedesktop/DBus"
        if try await connection.call(Self.bus, path, Self.bus, "NameHasOwner", sender, returning: Bool.self) {
            for await change in changes where change.body.last == .string("") { break }
        }
        try Task.checkCancellation()
        try await connection.call(Self.name, Self.authority, Self.interface, "CancelCheckAuthorization", id)
    }
}
