// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc

/// Somebody who is not root, and calls the service with busctl.
struct User: Sendable {
    let uid: UInt32
    var groups: [UInt32] = []

    /// What a call answers, as busctl prints it.
    ///
    /// - Throws: ``BusError`` as the service replied it.
    @discardableResult
    func call(_ path: ObjectPath, _ interface: String, _ member: String, _ arguments: String..., interactive: Bool = false) async throws
        -> String
    {
        let result = try await Child.run(
            "setpriv", asUser + busctl(path, interface, member, arguments, interactive), deadline: .seconds(60))
        return try text(of: result)
    }

    /// The same, but the process waits to be let go, so that it can be told of to others before. Its number is given to `prepare`.
    func call(
        _ path: ObjectPath, _ interface: String, _ member: String, _ arguments: String...,
        prepare: @escaping @LoopActor (Int32) async throws -> Void
    ) async throws -> String {
        let gate = "/run/gate-\(uid)"
        unlink(gate)
        guard mkfifo(gate, 0o644) == 0 else { throw Guest.Failure("cannot make \(gate): \(errno)") }
        defer { unlink(gate) }
        let (pids, found) = AsyncStream.makeStream(of: Int32.self)
        let words = busctl(path, interface, member, arguments, true)
        let running = Task {
            try await Child.run(
                "setpriv", asUser + ["sh", "-c", "read -r line <\"$0\"; exec \"$@\"", gate] + words, deadline: .seconds(60)
            ) { found.yield($0) }
        }
        guard let pid = await pids.first() else { throw Guest.Failure("busctl could not be started") }
        try await prepare(pid)
        try await Guest.run("sh", "-c", "echo go >\"$0\"", gate)
        return try text(of: try await running.value)
    }

    private var asUser: [String] {
        let groups = groups.isEmpty ? ["--clear-groups"] : ["--groups", groups.map(String.init).joined(separator: ",")]
        return ["--reuid", "\(uid)", "--regid", "\(uid)"] + groups + ["--"]
    }

    private func busctl(_ path: ObjectPath, _ interface: String, _ member: String, _ arguments: [String], _ interactive: Bool) -> [String] {
        [
            "busctl", "--system", "--timeout=50", "--allow-interactive-authorization=\(interactive)", "call", Daemon.name, path.description,
            "org.cistern1." + interface, member,
        ] + arguments
    }

    private func text(of result: ChildResult) throws -> String {
        if result.succeeded { return result.text }
        // "Call failed: MESSAGE", without the name of the error.
        throw Guest.Failure(result.complaint)
    }
}
