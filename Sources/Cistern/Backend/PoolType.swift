// SPDX-License-Identifier: LGPL-2.1-or-later

/// One pool type as this machine has it.
public struct PoolType: Sendable {
    /// `dir`, `logical` ...
    public let name: String
    /// The type of its backends; capabilities derive from its conformances.
    public let backend: any Backend.Type
    /// Why the type cannot be used here; empty when it can.
    public var reason = ""
    /// Values of `source.format`.
    public var poolFormats: [String] = []
    /// Formats its volumes may have.
    public var volumeFormats: [String] = []
    /// Setting key to D-Bus type.
    public let settings: [String: String]
    /// Keys without which a definition is refused.
    public let required: Set<String>
    /// Makes the backend of one pool. Checks what it can without touching the machine.
    public let make: @Sendable (PoolDefinition) throws(StorageError) -> any Backend

    /// Declares a pool type.
    public init(
        name: String, backend: any Backend.Type, reason: String = "", poolFormats: [String] = [], volumeFormats: [String] = [],
        settings: [String: String], required: Set<String> = [],
        make: @escaping @Sendable (PoolDefinition) throws(StorageError) -> any Backend
    ) {
        self.name = name
        self.backend = backend
        self.reason = reason
        self.poolFormats = poolFormats
        self.volumeFormats = volumeFormats
        self.settings = settings
        self.required = required
        self.make = make
    }
}
