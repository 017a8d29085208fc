// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

/// Many files, many calls, over a long time. `CISTERN_SCALE_PAIRS` says how many volumes are created and deleted, and
/// `CISTERN_TEST_DAEMON` which program does it.
@Suite struct ScaleTests {
    /// KiB that may come and go.
    private static let tolerance = 2048

    @Test func `a thousand rescans take no memory`() async throws {
        try await Harness.run(start: false, limit: .seconds(100_000)) { harness in
            try await harness.startDaemon(program: testedDaemon)
            let directory = harness.root + "/p"
            mkdir(directory, 0o755)
            let image = Array(qcow2(1 << 30).prefix(4096))
            for n in 0..<300 { writeFile(directory + "/f\(n)", n % 2 == 0 ? image : [1, 2, 3]) }
            let (pool, _) = try await harness.startedPool("p", directory: directory)
            // As many finished jobs as are kept, and then some.
            for _ in 0..<1050 { _ = try await harness.job(pool, "Refresh", ["wait": .bool(true)]) }
            let before = harness.privateDirty()
            for _ in 0..<1000 { _ = try await harness.job(pool, "Refresh", ["wait": .bool(true)]) }
            let after = harness.privateDirty()
            #expect(after <= before + Self.tolerance, "\(before) KiB before, \(after) KiB after")
        }
    }

    @Test func `many volumes created and deleted by eight clients at once take no memory`() async throws {
        let pairs = environmentNumber("CISTERN_SCALE_PAIRS").map { Int($0) } ?? 20_000
        try await Harness.run(start: false, limit: .seconds(100_000)) { harness in
            try await harness.startDaemon(program: testedDaemon)
            let (pool, directory) = try await harness.startedPool()
            try await Self.createAndDelete(harness, pool, 1000)
            let before = harness.privateDirty()
            let began = ContinuousClock.now
            try await Self.createAndDelete(harness, pool, pairs)
            let took = ContinuousClock.now - began
            let after = harness.privateDirty()
            #expect(after <= before + Self.tolerance, "\(before) KiB before, \(after) KiB after \(pairs) pairs in \(took)")
            #expect(entries(directory).isEmpty)
            #expect(try await harness.volumeNames(pool).isEmpty)
        }
    }

    @LoopActor private static func createAndDelete(_ harness: Harness, _ pool: ObjectPath, _ pairs: Int) async throws {
        let clients = try (0..<8).map { _ in try Connection.open(.custom(harness.address), description: "client") }
        let work = clients.enumerated().map { number, client in
            Task { @LoopActor in
                for n in 0..<pairs / 8 {
                    let (volume, _) = try await client.call(
                        Harness.service, pool, Harness.poolInterface, "CreateVolume", "c\(number)-\(n)", UInt64(1 << 20),
                        [String: Variant](), returning: ObjectPath.self, ObjectPath.self)
                    _ = try await client.call(
                        Harness.service, volume, Harness.volumeInterface, "Delete", ["wait": Variant.bool(true)],
                        returning: ObjectPath.self)
                }
            }
        }
        for task in work { try await task.value }
        for client in clients { client.close() }
    }

    // MARK: - A hundred thousand files

    @Test func `a hundred thousand files: all listed once, and one change is one signal`() async throws {
        try await Harness.run(start: false, limit: .seconds(100_000)) { harness in
            try await harness.startDaemon(program: testedDaemon)
            let count = 100_000
            let directory = harness.root + "/p"
            mkdir(directory, 0o755)
            for n in 0..<count { close(open(directory + "/file\(n)", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)) }
            let (pool, _) = try await harness.startedPool("p", directory: directory)
            #expect(try await harness.property(pool, Harness.poolInterface, "State", as: String.self) == "active")
            #expect(try await harness.property(pool, Harness.poolInterface, "VolumeCount", as: UInt32.self) == UInt32(count))
            #expect(try await Self.listedNames(harness) == Set((0..<count).map { "file\($0)" }))

            let touched = try await harness.signals {
                _ = try await harness.tool("touch", directory + "/file77777")
            } until: {
                $0.path.lastLabel == "file77777"
            }.filter { !$0.isAboutSpace }
            #expect(touched.count == 1 && touched.first?.path.lastLabel == "file77777", "\(touched.map(\.path))")
            #expect(touched.first?.member == "PropertiesChanged")
            #expect(touched.first?.body[1].dictionary?.keys.sorted() == ["ModifyTime"])

            writeFile(harness.root + "/source", [UInt8](repeating: 1, count: 10_000))
            let began = ContinuousClock.now
            var took = Duration.zero
            let copied = try await harness.signals {
                _ = try await harness.tool("cp", harness.root + "/source", directory + "/copy")
            } until: { signal in
                if signal.member == "InterfacesAdded" { took = ContinuousClock.now - began }
                return signal.member == "InterfacesAdded"
            }
            #expect(copied.filter { $0.member == "InterfacesAdded" }.count == 1)
            // The program's own start is in it.
            #expect(took < .milliseconds(250), "\(took)")
            let others = copied.filter { $0.member != "InterfacesAdded" }.map { "\($0.path)" }
            #expect(others.filter { $0.hasSuffix("/copy") }.count <= 1 && others.allSatisfy { $0.hasSuffix("/copy") || $0.hasSuffix("/p") })
        }
    }

    @LoopActor private static func listedNames(_ harness: Harness) async throws -> Set<String> {
        var names: Set<String> = []
        var listed = 0
        var after = ""
        repeat {
            let (page, next) = try await harness.call(
                Harness.manager, Harness.managerInterface, "ListVolumes", [String: Variant](),
                ["limit": Variant.uint32(20_000), "after": .string(after), "fields": .strings(["Name"])],
                returning: [Struct<ObjectPath, [String: Variant]>].self, String.self)
            listed += page.count
            for volume in page { names.insert(volume.values.1["Name"]?.text ?? "") }
            after = next
        } while !after.isEmpty
        #expect(listed == names.count, "some are listed twice")
        return names
    }
}

extension ReceivedSignal {
    /// Whether it only tells of a pool's space, which belongs to everybody on the disk.
    fileprivate var isAboutSpace: Bool {
        member == "PropertiesChanged"
            && (body[1].dictionary ?? [:]).keys.allSatisfy { ["Allocation", "Available", "Capacity"].contains($0) }
            && path.isWithin("/org/cistern1/pools")
    }
}

extension Harness {
    /// The daemon's own memory in KiB, once it has got rid of what it does not need.
    func privateDirty() -> Int {
        readFile("/proc/\(pid)/smaps_rollup").split(separator: "\n").filter { $0.hasPrefix("Private_Dirty:") }
            .reduce(0) { $0 + (Int($1.split(separator: " ")[1]) ?? 0) }
    }

    /// What the daemon tells while something is done, up to the signal that is waited for, and half a second more.
    func signals(
        of work: @LoopActor () async throws -> Void, until isLast: (ReceivedSignal) -> Bool
    ) async throws -> [ReceivedSignal] {
        let signals = try await client.signals(pathNamespace: "/org/cistern1")
        try await work()
        var seen: [ReceivedSignal] = []
        for await signal in signals {
            if signal.interface == "org.test" { break }
            seen.append(signal)
            guard isLast(signal), !seen.dropLast().contains(where: isLast) else { continue }
            // What must not come has no event.
            try await Task.sleep(for: .milliseconds(500))
            try client.emit("/org/cistern1", "org.test", "End")
        }
        return seen
    }
}
