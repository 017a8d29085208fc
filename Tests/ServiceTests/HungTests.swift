// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@Suite struct HungTests {
    @Test func `a pool on a file system that stops answering delays no other pool, no start-up, no stop`() async throws {
        try await Harness.run { harness in
            let fuse = try await SlowDirectory(harness, "hung")
            defer { fuse.end() }
            let (hung, _) = try await harness.startedPool("hung")
            let (good, directory) = try await harness.startedPool("good")
            fuse.hang()
            // Work on the hung pool, from another client, that nobody waits for.
            let stuck = Task { @LoopActor in
                _ = try? await harness.create(hung, "stuck", 4096)
                _ = try? await harness.job(hung, "Refresh", ["wait": .bool(true)])
            }
            for n in 0..<10 {
                let began = ContinuousClock.now
                _ = try await harness.create(good, "v\(n)", 4096)
                _ = try await harness.properties(hung, Harness.poolInterface)
                #expect(ContinuousClock.now - began < .milliseconds(500))
            }
            #expect(entries(directory).count == 10)

            let stopping = ContinuousClock.now
            let result = await harness.kill(SIGTERM)
            #expect(result?.succeeded == true)
            #expect(ContinuousClock.now - stopping < .seconds(6))
            stuck.cancel()

            // It was active, so the daemon tries to bring it back, and is not held up by it.
            let up = try await harness.startDaemon()
            #expect(up < .seconds(2), "\(up)")
            try await harness.becomes("active", good)
            #expect(try await harness.managed("/org/cistern1/volumes/good").count == 10)
            let state = try await harness.property(hung, Harness.poolInterface, "State", as: String.self)
            #expect(state != "active")
            fuse.resume()
        }
    }
}
