// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@Suite struct JobCommandTests {
    @Test func `jobs are listed, watched, cancelled and waited for`() async throws {
        try await Harness.run(simulate: true) { harness in
            _ = try await harness.simulatedPool(throttle: 4 << 20)
            let path = try await harness.output("volume", "create", "s", "v", "400M", "--allocation", "full", "--no-wait")
            let job = try #require(ObjectPath(String(path.dropLast())))
            let number = job.lastLabel.hasPrefix("_3") ? String(job.lastLabel.dropFirst(2)) : job.lastLabel
            let rows = try await harness.output("job", "list").split(separator: "\n")
            #expect(rows.contains { $0.contains("Pool.CreateVolume") && $0.contains("volume s/v") && $0.contains("running") }, "\(rows)")
            let listed = try JSONObject.list(try await harness.output("job", "list", "--json"))
            #expect(listed.contains { $0["Object"] == job.description && $0["Operation"] == "Pool.CreateVolume" })

            async let watched = harness.cisternctl("job", "watch", number, "--json")
            async let waited = harness.cisternctl("job", "wait", job.description)
            // The watcher has something to show once the job has told of its progress.
            for await signal in try await harness.client.signals(path: job) where signal.member == "PropertiesChanged" { break }
            #expect(try await harness.output("job", "cancel", number) == "Job \(number) was asked to stop.\n")
            let (watch, wait) = try await (watched, waited)
            #expect(watch.status == 1 && wait.status == 1 && wait.complaint.contains("cancelled"), "\(wait.complaint)")
            let last = try #require(watch.text.split(separator: "\n").last)
            let ended = try await harness.expectedJSON(job, Harness.jobInterface)
            let differences = try JSONObject(String(last)).differences(from: ended)
            #expect(differences == [], "\(differences)")
            #expect(try await harness.output("volume", "list", "s", "--json") == "[]\n")
            try await harness.expectRefusal(1, "no job 4711", by: ["job", "wait", "4711"])
        }
    }

    @Test func `a failed job's error is told, and its properties are printed`() async throws {
        try await Harness.run(simulate: true) { harness in
            try await harness.output(
                "pool", "define", "s", "simulated", "--set", "simulated.fail=Pool.CreateVolume:NoSpace:1048576", "--set",
                "simulated.throttle=8M")
            try await harness.output("pool", "start", "s")
            let result = try await harness.cisternctl("volume", "create", "s", "v", "4M", "--allocation", "full", "--json")
            #expect(result.status == 1 && result.complaint.contains("told to fail"), "\(result.complaint)")
            #expect(try JSONObject(result.text)["Error"] == "org.cistern1.Error.NoSpace")
        }
    }

    @Test func `progress goes to standard error, results to standard output, and neither with --quiet`() async throws {
        try await Harness.run(simulate: true) { harness in
            _ = try await harness.simulatedPool(throttle: 8 << 20)
            let told = try await harness.cisternctl("volume", "create", "s", "v", "6M", "--allocation", "full")
            #expect(told.complaint.contains("of 6 MiB") && told.text.hasPrefix("Volume v of 6 MiB is there."), "\(told.complaint)")
            #expect(!told.complaint.contains("\r") && !told.complaint.contains("\u{1b}"))
            let quiet = try await harness.cisternctl("volume", "create", "s", "w", "6M", "--allocation", "full", "--quiet")
            #expect(quiet.status == 0 && quiet.output.isEmpty && quiet.errors.isEmpty)
        }
    }

    @Test func `the daemon's end in the middle of a job is said as such`() async throws {
        try await Harness.run(simulate: true) { harness in
            _ = try await harness.simulatedPool(throttle: 4 << 20)
            let signals = try await harness.client.signals(pathNamespace: "/org/cistern1/jobs", member: "PropertiesChanged")
            async let ended = harness.cisternctl("volume", "create", "s", "v", "400M", "--allocation", "full")
            var reports = 0
            for await signal in signals where signal.body[1].dictionary?["BytesDone"]?.unsigned ?? 0 > 0 {
                reports += 1
                if reports == 2 { break }
            }
            await harness.kill(SIGKILL)
            let result = try await ended
            #expect(result.status == 3 && result.complaint.contains("cisternd has gone"), "\(result.complaint)")
        }
    }
}
