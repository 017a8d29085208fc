// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

/// `CISTERN_TORTURE_SEED` gives other choices, `CISTERN_TORTURE_ROUND` makes those of one round over and over,
/// `CISTERN_TORTURE_SECONDS` goes on until they are over (0: for ever), and `CISTERN_TEST_DAEMON` is the program to torture.
@Suite struct TortureTests {
    private static let killPoints = 200

    @Test func `two hundred kills in the middle of everything lose nothing, leave nothing, and account for every job`() async throws {
        try await Harness.run(start: false, limit: .seconds(100_000)) { harness in
            let fuse = try await SlowDirectory(harness, "fuse", rate: "2G")
            defer { fuse.end() }
            let torture = try await Torture(harness, seed: environmentNumber("CISTERN_TORTURE_SEED") ?? 3, program: testedDaemon)
            defer { torture.end() }
            do { try await Self.run(torture) } catch let failure as Torture.Failure {
                Issue.record("\(failure)")
            }
            let (done, open) = (torture.outcomes[.done] ?? 0, torture.outcomes[.open] ?? 0)
            #expect(torture.kills < 50 || min(done, open) > torture.kills / 2, "the kills hit nothing: \(torture.report)")
            if environmentNumber("CISTERN_TORTURE_SECONDS") != nil { Self.tell(torture.report) }
        }
    }

    @LoopActor private static func run(_ torture: Torture) async throws {
        let only = environmentNumber("CISTERN_TORTURE_ROUND").map { Int($0) }
        let began = ContinuousClock.now
        var minutes = 1
        for round in 1... {
            if let seconds = environmentNumber("CISTERN_TORTURE_SECONDS") {
                if seconds > 0, ContinuousClock.now - began >= .seconds(seconds) { return }
            } else if torture.kills >= killPoints {
                return
            }
            try await torture.round(only ?? round)
            if ContinuousClock.now - began >= .seconds(60 * minutes), environmentNumber("CISTERN_TORTURE_SECONDS") != nil {
                tell(torture.report)
                minutes += 1
            }
        }
    }

    private static func tell(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = write(2, bytes, bytes.count)
    }
}
