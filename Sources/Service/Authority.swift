// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern
import EventLoop

/// Says who may do what. Root and the daemon's own user may do everything, others what polkit lets them; without polkit, nothing.
@LoopActor final class Authority {
    let ownUID: UInt32
    private let polkit: Polkit

    init(_ connection: Connection, ownUID: UInt32) {
        self.ownUID = ownUID
        polkit = Polkit(connection)
    }

    /// Refuses unless the caller may do the action.
    ///
    /// - Parameter object: what it is about.
    /// - Throws: `accessDenied`; `BusError` `InteractiveAuthorizationRequired` where the user could be asked if the caller allowed it.
    func require(_ id: String, of call: Call, about object: any Sendable) async throws {
        let uid = try await call.uid()
        if isRoot(uid) { return }
        let deed = Deed(call, about: object)
        let question = Action(id: id)?.question(deed.operation) ?? "do this"
        var details = deed.details
        details["polkit.message"] = "Authentication is required to \(question)"
        details["polkit.gettext_domain"] = "cistern"
        switch try await answer(id, call.sender, details, interactive: call.allowsInteraction) {
        case .yes: return
        case .challenge:
            throw BusError.interactionRequired(
                "User \(uid) must authenticate to do this (\(id)), and the caller does not allow that they are asked; allow it, or call as root."
            )
        case .no:
            throw StorageError(
                .accessDenied, "User \(uid) may not do this (\(id)); ask an administrator for a polkit rule, or call as root.")
        case .absent:
            throw StorageError(
                .accessDenied, "User \(uid) may not do this (\(id)), since no polkit is there to allow it; call as root.")
        }
    }

    /// What ``require(_:of:about:)`` would say, asking nobody.
    func foresee(_ id: String, of call: Call, about object: any Sendable) async throws -> Polkit.Answer {
        if isRoot(try await call.uid()) { return .yes }
        return try await answer(id, call.sender, Deed(call, about: object).details, interactive: false)
    }

    /// Whether the user may do everything there is: root, or the user that the service runs as.
    func isRoot(_ uid: UInt32) -> Bool { uid == 0 || uid == ownUID }

    /// polkit that does not answer is no polkit: nothing may be done on its word.
    private func answer(_ id: String, _ sender: String, _ details: [String: String], interactive: Bool) async throws -> Polkit.Answer {
        do { return try await polkit.check(id, of: sender, details, interactive: interactive) } catch let error as BusError {
            throw StorageError(.accessDenied, "polkit could not be asked for \(id): \(error.message) Try again, or call as root.")
        }
    }
}
