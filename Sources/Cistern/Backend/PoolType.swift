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
    /// Looks for what pools could be made of; nil where there is no way to.
    public let findSources: SourceFinder?

    /// Answers the settings of each pool that could be made of something that is there.
    ///
    /// Its arguments: settings that say where to look, and how long that may take.
    public typealias SourceFinder = @Sendable ([String: Value], Duration) async throws(StorageError) -> [[String: Value]]

    /// Operation to "" or the reason why not.
    public var capabilities: [Operation: String] {
        if reason.isEmpty { return capabilities(limits: [:]) }
        return Dictionary(uniqueKeysWithValues: Operation.allCases.map { ($0, reason) })
    }

    /// The same for one pool, which may be able to do less.
    func capabilities(of backend: any Backend) -> [Operation: String] { capabilities(limits: (backend as? any Limited)?.limits ?? [:]) }

    private func capabilities(limits: [Operation: String]) -> [Operation: String] {
        var capabilities = Operation.capabilities(of: backend, limits: limits)
        if findSources != nil { capabilities[.poolFindSources] = "" }
        return capabilities
    }

    /// Declares a pool type.
    ///
    /// - Parameters:
    ///   - reason: why the type cannot be used here, as a clause; then its pools can be defined, and no more.
    ///   - settings: only for types that ``PoolModel`` does not have.
    ///   - required: the same.
    ///   - findSources: where it is left out, what pools stand on is named by those who define them.
    public init(
        name: String, backend: any Backend.Type, reason: String = "", volumeFormats: [String] = [],
        settings: [String: String] = [:], required: Set<String> = [],
        findSources: SourceFinder? = nil,
        make: @escaping @Sendable (PoolDefinition) throws(StorageError) -> any Backend
    ) {
        self.name = name
        self.backend = reason.isEmpty ? backend : AbsentPool.self
        self.reason = reason
        let model = PoolModel.all[name]
        poolFormats = model?.formats ?? []
        self.volumeFormats = volumeFormats
        self.settings = settings.merging(model?.settings ?? [:]) { $1 }
        self.required = required.union(model?.required ?? [])
        self.findSources = reason.isEmpty ? findSources : nil
        let absent: @Sendable (PoolDefinition) throws(StorageError) -> any Backend = { AbsentPool($0, because: reason) }
        self.make = reason.isEmpty ? make : absent
    }
}
