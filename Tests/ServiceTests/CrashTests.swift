// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@Suite struct CrashTests {
    @Test(arguments: [false, true])
    func `after SIGKILL in an allocation: no partial file, no lost file, the job is back as failed`(slow: Bool) async throws {
        try await Harness.run { harness in
            // A FUSE file system has no O_TMPFILE: the other way of publishing.
            let fuse = slow ? try await SlowDirectory(harness, "p") : nil
            defer { fuse?.end() }
            let (pool, directory) = try await harness.startedPool()
            writeFile(directory + "/precious", [UInt8](repeating: 9, count: 5000))
            let signals = try await harness.allSignals()
            let (volume, job) = try await harness.create(pool, "victim", 8 << 30, ["allocation": .string("full")])
            for await signal in signals where signal.path == job && (signal.body[1].dictionary?["BytesDone"]?.unsigned ?? 0) > 0 { break }
            await harness.kill(SIGKILL)
            #expect(!entries(directory).contains("victim"))

            try await harness.startDaemon()
            #expect(try await harness.outcome(of: job) == "failed")
            let properties = try await harness.properties(job, Harness.jobInterface)
            #expect(properties["Error"] == .string("org.cistern1.Error.Interrupted"))
            #expect(properties["Operation"] == .string("Pool.CreateVolume"))
            #expect(properties["Objects"]?.paths?.contains(volume) == true)
            try await harness.becomes("active", pool)
            #expect(entries(directory) == ["precious"], "the pool is active again, and only what was whole is there")
            #expect(fileStatus(directory + "/precious")?.st_size == 5000)
            let (_, next) = try await harness.create(pool, "next", 1 << 20, ["allocation": .string("full"), "wait": .bool(true)])
            #expect(next != job, "numbers are never used again")
            try await harness.stop("p")
        }
    }

    @Test func `SIGTERM with a running job leaves nothing half made and ends promptly`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let signals = try await harness.allSignals()
            let (_, job) = try await harness.create(pool, "victim", 8 << 30, ["allocation": .string("full")])
            for await signal in signals where signal.path == job && signal.body[1].dictionary?["BytesDone"] != nil { break }
            let began = ContinuousClock.now
            let result = try #require(await harness.kill(SIGTERM))
            #expect(result.succeeded, "\(result.complaint)")
            #expect(ContinuousClock.now - began < .seconds(3))
            #expect(entries(directory).isEmpty)
        }
    }
}
