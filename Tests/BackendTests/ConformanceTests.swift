// SPDX-License-Identifier: LGPL-2.1-or-later
import Backends
import Cistern
import TestSupport
import Testing

@Suite struct ConformanceTests {
    @Test(arguments: ["/tmp", "/dev/shm"])
    func directoryPoolKeepsTheContract(parent: String) async throws {
        let violations = try await checkBackend { try .directory(in: parent) }
        #expect(violations == [])
    }

    @Test(arguments: ["/tmp", "/dev/shm"])
    func directoryPoolWithoutNamelessFilesKeepsTheContract(parent: String) async throws {
        var tuning = DirectoryPool.Tuning()
        tuning.namelessFiles = false
        let violations = try await checkBackend { [tuning] in try .directory(in: parent, tuning: tuning) }
        #expect(violations == [])
    }

    @Test func simulatedPoolKeepsTheContract() async throws {
        let violations = try await checkBackend { try .simulated() }
        #expect(violations == [])
    }

    @Test(arguments: Flaw.allCases)
    func everyFlawIsFound(flaw: Flaw) async throws {
        let violations = try await checkBackend { try .simulated { FlawedPool($0, flaw) } }
        #expect(violations.contains { $0.contains(flaw.symptom) }, "\(flaw): found only \(violations)")
    }

    @Test func poolWithoutFlawsPassesInItsWrapper() async throws {
        let violations = try await checkBackend { try .simulated { FlawedPool($0, nil) } }
        #expect(violations == [])
    }
}
