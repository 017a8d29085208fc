// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Glibc
import Testing

@Suite struct IdleTests {
    /// Nothing polls: neither the daemon, nor what Swift's tasks run on. (libdispatch would wake up every second, for good,
    /// so that no stretch of three seconds could pass.)
    @Test func `a daemon with nothing to do does not wake up, whatever it did before`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let (volume, _) = try await harness.create(pool, "v", 4096)
            _ = try await harness.create(pool, "big", 64 << 20, ["allocation": .string("full"), "wait": .bool(true)])
            _ = try await harness.job(pool, "Refresh", ["wait": .bool(true)])
            _ = try await harness.job(volume, "Delete")
            for _ in 0..<200 { _ = try await harness.properties(pool, Harness.poolInterface) }
            #expect(entries(directory) == ["big"])
            // What it did has its end: the last signals, a deadline that was set and is no longer needed. Then nothing is left.
            var counts: [Int] = []
            repeat { counts.append(try await harness.switches(over: .seconds(3))) } while counts.last != 0 && counts.count < 6
            #expect(counts.last == 0, "threads got to run \(counts) times in stretches of 3 s")
        }
    }
}

extension Harness {
    /// How often the daemon's threads got to run in a stretch of time. A thread that ends meanwhile for want of work does not count.
    fileprivate func switches(over time: Duration) async throws -> Int {
        let before = switches()
        try await Task.sleep(for: time)
        let after = switches()
        try #require(!before.isEmpty)
        return after.reduce(0) { sum, thread in sum + thread.value - (before[thread.key] ?? 0) }
    }

    /// How often each thread got to run so far.
    private func switches() -> [String: Int] {
        var counts: [String: Int] = [:]
        for thread in entries("/proc/\(pid)/task") {
            counts[thread] = readFile("/proc/\(pid)/task/\(thread)/status").split(separator: "\n").filter { $0.contains("ctxt_switches:") }
                .reduce(0) { $0 + (Int($1.split(separator: "\t").last ?? "") ?? 0) }
        }
        return counts
    }
}
