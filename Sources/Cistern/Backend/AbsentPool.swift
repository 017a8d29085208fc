// SPDX-License-Identifier: LGPL-2.1-or-later

/// A pool whose type this machine, or this version, has nothing for. It can be defined, described and forgotten; starting it tells why
/// it cannot be used.
final class AbsentPool: Backend, Limited {
    private let name: String
    private let type: String
    private let reason: String
    let targetPath: String

    /// - Parameter reason: a clause, such as "this version has no backend for it".
    init(_ definition: PoolDefinition, because reason: String) {
        name = definition.name
        type = definition.type
        self.reason = reason
        targetPath = definition.string("target.path") ?? ""
    }

    private var refusal: StorageError {
        StorageError(.notSupported, "Pool \(name) of type \(type) cannot be used: \(reason); its definition is kept.")
    }

    var limits: [Operation: String] { Dictionary(uniqueKeysWithValues: Operation.allCases.map { ($0, reason) }) }

    func start(_ progress: Progress) async throws(StorageError) -> String { throw refusal }
    func stop(_ progress: Progress) async throws(StorageError) {}
    func scan(_ known: [String: Volume]) async throws(StorageError) -> Contents { throw refusal }
}

extension PoolType {
    /// A type of ``PoolModel`` that cannot be used here.
    public static func absent(_ name: String, because reason: String) -> PoolType {
        PoolType(name: name, backend: AbsentPool.self, reason: reason) { definition in AbsentPool(definition, because: reason) }
    }
}
