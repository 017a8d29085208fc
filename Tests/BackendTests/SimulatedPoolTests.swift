// SPDX-License-Identifier: LGPL-2.1-or-later
import Backends
import Cistern
import EventLoop
import Testing

@Suite struct SimulatedPoolTests {
    private func pool(_ settings: [String: Value], disk: SimulatedDisk = SimulatedDisk()) throws -> SimulatedPool {
        try SimulatedPool(PoolDefinition(name: "s", uuid: "u", type: "simulated", settings: settings), disk: disk)
    }

    @Test func settingsOrderFaultsAndSizes() async throws {
        let pool = try pool([
            "simulated.capacity": .uint64(1 << 20), "simulated.fail": .string("Pool.CreateVolume:NoSpace:100, Volume.Delete:Busy"),
        ])
        #expect(try await pool.measure().capacity == 1 << 20)
        let request = VolumeRequest(name: "v", capacity: 4096, allocation: .full)
        #expect(await failure { _ = try await pool.create(request, .ignored()) }?.code == .noSpace)
        #expect(pool.disk.volumes.isEmpty)
        pool.disk.behave { $0.faults[.volumeCreate] = nil }
        let volume = try await pool.create(request, .ignored())
        #expect(await failure { try await pool.delete(volume, .ignored()) }?.code == .busy)
    }

    @Test(arguments: ["nonsense", "Pool.CreateVolume", "Pool.CreateVolume:Sad", "No.Such:Busy", "Pool.Start:Busy:x"])
    func refusesFaultsThatNobodyUnderstands(text: String) async {
        #expect(await failure { _ = try pool(["simulated.fail": .string(text)]) }?.code == .invalidArguments)
    }

    @Test func cancellingEndsSlowWorkAtOnce() async throws {
        let pool = try pool(["simulated.throttle": .uint64(1000)])
        let progress = Progress.ignored()
        let work = Task {
            await failure { _ = try await pool.create(VolumeRequest(name: "v", capacity: 1 << 30, allocation: .full), progress) }
        }
        let clock = ContinuousClock.now
        progress.cancel()
        #expect(await work.value?.code == .cancelled)
        #expect(ContinuousClock.now - clock < .seconds(20))
        #expect(pool.disk.volumes.isEmpty)
    }

    @Test func aLostDiskComesBackWithItsVolumes() async throws {
        let disk = SimulatedDisk()
        let pool = try pool([:], disk: disk)
        _ = try await pool.start(.ignored())
        _ = try await pool.create(VolumeRequest(name: "v", capacity: 4096), .ignored())
        let (_, changes) = try await pool.watch()
        disk.lose("the cable is out")
        #expect(await changes.first { _ in true } == .lost("the cable is out"))
        #expect(await failure { _ = try await pool.scan([:]) }?.code == .unavailable)
        disk.comeBack()
        #expect(try await pool.scan([:]).volumes.count == 1)
        let another = try self.pool([:], disk: disk)
        #expect(try await another.scan([:]).volumes.keys.sorted() == ["v"])
    }

    @Test func tableNamesTheTypes() throws {
        let workers = Workers()
        let modelled = Set(PoolModel.all.keys)
        #expect(Set(BackendTable.types(workers: workers, owner: "test", simulate: false).keys) == modelled)
        let types = BackendTable.types(workers: workers, owner: "test", simulate: true)
        #expect(Set(types.keys) == modelled.union(["simulated"]))
        for type in types.values {
            #expect(type.required.isSubset(of: type.settings.keys))
            #expect(type.capabilities[.volumeCreate] == type.reason, "a type that cannot be used here can do nothing, for one reason")
        }
        #expect(types["dir"]?.reason == "" && types["simulated"]?.reason == "")
    }
}
