// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern

/// Finds out whether a backend keeps what the backend contract promises, capability by capability.
///
/// - Parameter make: makes a backend on empty storage; called once for every check.
/// - Returns: what is wrong, one sentence each, beginning with the check's name; empty if nothing is.
public func checkBackend(make: @Sendable () async throws -> Subject) async throws -> [String] {
    var violations: [String] = []
    for check in checks {
        let subject = try await make()
        let findings = Findings()
        do {
            let finished: Bool? = try await within(.seconds(60)) {
                try await check.body(subject, findings)
                return true
            }
            if finished == nil { await findings.add("takes more than a minute") }
        } catch let error as StorageError {
            await findings.add("fails unexpectedly with \(error.code.rawValue): \(error.message)")
        } catch {
            await findings.add("fails unexpectedly: \(error)")
        }
        try? await subject.backend.stop(.ignored())
        await subject.cleanUp()
        violations += await findings.violations.map { "\(check.name): \($0)" }
    }
    return violations
}

/// One promise, or a few that belong together.
struct Check: Sendable {
    let name: String
    let body: @Sendable (Subject, Findings) async throws -> Void

    /// A check of every backend.
    init(_ name: String, _ body: @escaping @Sendable (Subject, Findings) async throws -> Void) {
        self.name = name
        self.body = body
    }
}

private let checks: [Check] = lifecycleChecks + creationChecks + dataChecks + changeChecks + freshnessChecks

extension Subject {
    /// The backend, started.
    func started() async throws -> any Backend {
        _ = try await backend.start(.ignored())
        return backend
    }

    /// The backend started as something that makes volumes; nil if it cannot.
    func creating() async throws -> (any VolumeCreating)? { try await started() as? any VolumeCreating }
}

extension VolumeCreating {
    /// Makes a volume that nobody follows.
    func make(
        _ name: String, _ bytes: UInt64 = 1 << 20, _ allocation: VolumeRequest.Allocation = .sparse
    ) async throws(StorageError) -> Volume {
        let request = VolumeRequest(name: name, capacity: bytes, format: Self.creatableFormats[0], allocation: allocation)
        return try await create(request, .ignored())
    }
}

extension Backend {
    /// Names of all volumes that a scan shows.
    func names(_ known: [String: Volume] = [:]) async throws(StorageError) -> Set<String> {
        Set(try await scan(known).volumes.keys)
    }
}
