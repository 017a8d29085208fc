// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CSystemd
internal import EventLoop
import Glibc

extension Connection {
    /// Becomes the owner of a well-known name, or fails saying who is. Never waits in line for it.
    public func requestName(_ name: String) async throws(BusError) {
        let doNotQueue: UInt32 = 4
        let result = try await driver("RequestName", name, doNotQueue, returning: UInt32.self)
        let (becameOwner, alreadyOwner): (UInt32, UInt32) = (1, 4)
        if result == becameOwner || result == alreadyOwner { return }
        throw .addressInUse("The name \(name) is owned by \(await owner(of: name)); stop that process first.")
    }

    /// Gives a well-known name up.
    public func releaseName(_ name: String) async throws(BusError) {
        _ = try await driver("ReleaseName", name, returning: UInt32.self)
    }

    /// The user behind a connection, as the bus knows it. Cached, which is safe: a bus never gives a unique name twice.
    public func user(of uniqueName: String) async throws(BusError) -> UInt32 {
        if let user = users[uniqueName] { return user }
        if self.uniqueName.isEmpty { return try peerUser() }
        let user = try await driver("GetConnectionUnixUser", uniqueName, returning: UInt32.self)
        if users.count >= 4096 { users.removeAll() }
        users[uniqueName] = user
        return user
    }

    private func peerUser() throws(BusError) -> UInt32 {
        var credentials: OpaquePointer?
        try check(sd_bus_get_owner_creds(raw, UInt64(SD_BUS_CREDS_EUID), &credentials), "tell who the peer is")
        defer { sd_bus_creds_unref(credentials) }
        var user = uid_t.max
        try check(sd_bus_creds_get_euid(credentials, &user), "tell who the peer is")
        return user
    }

    /// "process 42 of user 0 (:1.7)", or as much of that as can be found out.
    private func owner(of name: String) async -> String {
        do throws(BusError) {
            let unique = try await driver("GetNameOwner", name, returning: String.self)
            let process = try await driver("GetConnectionUnixProcessID", unique, returning: UInt32.self)
            let user = try await user(of: unique)
            return "process \(process) of user \(user) (\(unique))"
        } catch {
            return "another connection"
        }
    }

    /// Calls the bus itself.
    private func driver<each In: DBusType, Out: DBusType>(
        _ member: String, _ arguments: repeat each In, returning: Out.Type
    ) async throws(BusError) -> Out {
        do {
            return try await call(
                "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", member, repeat each arguments, returning: Out.self)
        } catch let error as BusError {
            throw error
        } catch {
            throw .failed("The call of \(member) was cancelled.")
        }
    }
}
