// SPDX-License-Identifier: LGPL-2.1-or-later
import TestSupport
import Testing

@testable import Cistern

@Suite struct BackingChainTests {
    /// Volumes of one pool: name to backing name; empty for none.
    private func pool(_ bench: Bench, _ backing: [String: String]) async throws -> Pool {
        bench.backend.change { script in
            for (name, below) in backing {
                var volume = ScriptedBackend.volume(name, 10)
                if !below.isEmpty { volume.backingPath = below.hasPrefix("/") ? below : "/scripted/" + below }
                script.volumes[name] = volume
            }
        }
        return try await bench.startedPool()
    }

    @Test func `a chain that is whole is ready, and both ends know it`() async throws {
        let pool = try await pool(Bench(), ["base": "", "middle": "base", "top": "middle"])
        let reference = { (name: String) in VolumeReference(pool: pool.name, name: name) }
        #expect(pool.volume("top")?.chain?.backing == reference("middle"))
        #expect(pool.volume("middle")?.chain?.dependents == [reference("top")])
        #expect(pool.volume("base")?.chain?.dependents == [reference("middle")])
        #expect(pool.volumes.values.allSatisfy { $0.health.state == .ready })
    }

    @Test func `a volume that is its own backing file, and two that are each other's, are in error`() async throws {
        let pool = try await pool(Bench(), ["self": "self", "a": "b", "b": "a", "on": "a"])
        #expect(pool.volume("self")?.health.reason == "it is its own backing file")
        for name in ["a", "b", "on"] {
            let health = try #require(pool.volume(name)).health
            #expect(health.state == .error && health.reason.contains("circle"), "\(name): \(health.reason)")
        }
    }

    @Test func `what is missing, or is no volume, is told by name to all that stand on it`() async throws {
        let bench = Bench()
        bench.backend.change { $0.skipped = ["pipe": "a named pipe"] }
        let pool = try await pool(bench, ["top": "middle", "middle": "gone", "piped": "pipe", "outside": "/elsewhere/x"])
        #expect(pool.volume("middle")?.health.reason == "its backing file /scripted/gone is missing")
        #expect(pool.volume("top")?.health.reason == "/scripted/gone, which its backing file needs, is missing")
        #expect(pool.volume("piped")?.health.reason == "its backing file /scripted/pipe cannot be used: a named pipe")
        #expect(pool.volume("outside")?.health.state == .ready, "nobody looks there")
        bench.backend.change { $0.volumes["gone"] = ScriptedBackend.volume("gone", 10) }
        await pool.look(at: ["gone"])
        #expect(pool.volume("top")?.health.state == .ready)
        #expect(pool.volume("gone")?.chain?.dependents.count == 1)
    }

    @Test func `a broken image breaks what stands on it, and a chain has an end`() async throws {
        let bench = Bench()
        var chain = ["0": ""]
        for number in 1...300 { chain["\(number)"] = "\(number - 1)" }
        var broken = ScriptedBackend.volume("broken", 10)
        broken.state = .error
        broken.stateReason = "its header is truncated"
        bench.backend.change { [broken] in $0.volumes["broken"] = broken }
        let pool = try await pool(bench, chain.merging(["top": "broken"]) { old, _ in old })
        #expect(pool.volume("top")?.health.reason == "its backing file /scripted/broken cannot be used: its header is truncated")
        #expect(pool.volume("200")?.health.state == .ready)
        #expect(pool.volume("300")?.health.reason == "it has more than 256 backing files")
    }

    @Test func `what others stand on is not changed, removed or renamed, nor while an overlay is being made`() async throws {
        let bench = Bench()
        let pool = try await pool(bench, ["base": "", "top": "base"])
        await expect(.busy) { _ = try await pool.deleteVolume("base", key: nil, by: 0) }
        await expect(.busy) { _ = try await pool.resizeVolume("base", to: 20, allowShrink: false, allocate: false, key: nil, by: 0) }
        await expect(.busy) { try await pool.renameVolume("base", to: "b", key: nil) }
        _ = try await pool.deleteVolume("top", key: nil, by: 0)
        bench.backend.change { $0.held = ["overlay"] }
        var request = VolumeRequest(name: "overlay", capacity: 10, allocation: .full)
        request.backing = VolumeRequest.Backing(VolumeReference(pool: pool.name, name: "base"))
        let job = try #require(try await pool.createVolume(request, by: 0))
        job.release()
        await expect(.busy) { _ = try await pool.deleteVolume("base", key: nil, by: 0) }
        bench.backend.letGo("overlay")
        try await bench.finish(job)
        _ = try await pool.deleteVolume("base", key: nil, by: 0)
    }

    @Test func `changes that follow each other are told three times at once, then once a second, and the last one always`() {
        var pace = ChangePace()
        let start = ContinuousClock.now
        for _ in 0..<3 { #expect(pace.delay(of: "a", now: start) == .zero) }
        #expect(pace.delay(of: "a", now: start) == .seconds(1))
        #expect(pace.delay(of: "a", now: start) == nil, "a look is due already")
        #expect(pace.delay(of: "b", now: start) == .zero)
        pace.resume("a")
        #expect(pace.delay(of: "a", now: start + .seconds(1)) == .zero)
        #expect(pace.delay(of: "a", now: start + .seconds(1)) == .seconds(1))
        pace.resume("a")
        for _ in 0..<3 { #expect(pace.delay(of: "a", now: start + .seconds(9)) == .zero) }
    }
}
