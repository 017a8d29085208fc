// SPDX-License-Identifier: LGPL-2.1-or-later

/// One pool type as this machine has it.
public struct PoolType: Sendable {
    /// `dir`, `logical` ...
    public let name: String
    /// The type of its backends; capabilities derive from its conformances.
    public let backend: any Backend.Type
    /// Why the type cannot be used here; empty when it can.
    public let reason: String
    /// Values of `source.format`.
    public let poolFormats: [String]
    /// Formats its volumes may have.
    public let volumeFormats: [String]
    /// Setting key to D-Bus type.
    public let settings: [String: String]
    /// Keys without which a definition is refused.
    public let required: Set<String>
    /// Makes the backend of one pool. Checks what it can without touching the machine.
    public let make: @Sendable (PoolDefinition) throws(StorageError) -> any Backend

    /// Operation to "" or the reason why not.
    public var capabilities: [Operation: String] {
        if reason.isEmpty { return Operation.capabilities(of: backend) }
        return Dictionary(uniqueKeysWithValues: Operation.allCases.map { ($0, reason) })
    }

    /// Declares a pool type.
    ///
    /// - Parameters:
    ///   - settings: only for types that ``PoolModel`` does not have.
    ///   - required: the same.
    public init(
        name: String, backend: any Backend.Type, reason: String = "", volumeFormats: [String] = [],
        settings: [String: String] = [:], required: Set<String> = [],
        make: @escaping @Sendable (PoolDefinition) throws(StorageError) -> any Backend
    ) {
        self.name = name
        self.backend = backend
        self.reason = reason
        let model = PoolModel.all[name]
        poolFormats = model?.formats ?? []
        self.volumeFormats = volumeFormats
        self.settings = settings.merging(model?.settings ?? [:]) { $1 }
        self.required = required.union(model?.required ?? [])
        self.make = make
    }
}
