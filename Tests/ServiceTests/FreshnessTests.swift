// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@Suite struct FreshnessTests {
    @Test func `a cp is an object within 250 ms, with true sizes; rm and mv are told too`() async throws {
        try await Harness.run { harness in
            let (_, directory) = try await harness.startedPool()
            writeFile(harness.root + "/source", [UInt8](repeating: 7, count: 300_000))
            let signals = try await harness.client.signals(pathNamespace: "/org/cistern1/volumes")
            let began = ContinuousClock.now
            let copied = try await harness.tool("cp", harness.root + "/source", directory + "/copy")
            #expect(copied.succeeded)
            var seen: ContinuousClock.Instant?
            var capacity: UInt64 = 0
            for await signal in signals {
                if signal.member == "InterfacesAdded", case .dictionary(_, _, let interfaces) = signal.body[1] {
                    seen = .now
                    capacity = interfaces.first?.value.dictionary?["Capacity"]?.unsigned ?? 0
                } else if signal.member == "PropertiesChanged", let changed = signal.body[1].dictionary?["Capacity"]?.unsigned {
                    capacity = changed
                }
                if capacity == 300_000 { break }
            }
            #expect(ContinuousClock.now - began < .milliseconds(350))
            #expect(try #require(seen) - began < .milliseconds(350))

            rename(directory + "/copy", directory + "/moved")
            var gone = false
            var came = false
            for await signal in signals {
                let path = signal.body.first?.path?.description ?? ""
                if signal.member == "InterfacesRemoved" && path.hasSuffix("/copy") { gone = true }
                if signal.member == "InterfacesAdded" && path.hasSuffix("/moved") { came = true }
                if gone && came { break }
            }
            unlink(directory + "/moved")
            for await signal in signals where signal.member == "InterfacesRemoved" { break }
            #expect(try await harness.managed("/org/cistern1/volumes/p").isEmpty)
        }
    }

    @Test func `a refresh that finds nothing changed tells nothing`() async throws {
        try await Harness.run { harness in
            let directory = harness.root + "/p"
            mkdir(directory, 0o755)
            for n in 0..<50 { writeFile(directory + "/f\(n)") }
            let (pool, _) = try await harness.startedPool("p", directory: directory)
            let signals = try await harness.client.signals(pathNamespace: "/org/cistern1/volumes")
            _ = try await harness.job(pool, "Refresh", ["wait": .bool(true)])
            try harness.client.emit("/org/cistern1/volumes", "org.test", "End")
            for await signal in signals {
                #expect(signal.member == "End")
                break
            }
        }
    }

    @Test func `a directory that goes away makes the pool unavailable, and it comes back with it`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            rename(directory, harness.root + "/elsewhere")
            try await harness.becomes("unavailable", pool)
            await expectError("Unavailable") { _ = try await harness.create(pool, "v", 4096) }
            #expect(fileStatus(directory) == nil, "nothing is made where the directory was")
            rename(harness.root + "/elsewhere", directory)
            _ = try await harness.job(pool, "Refresh", ["wait": .bool(true)])
            #expect(try await harness.property(pool, Harness.poolInterface, "State", as: String.self) == "active")
        }
    }
}

@Suite struct GrowthTests {
    @Test func `a file that is written again and again is told of once a second at most, and in the end as it is`() async throws {
        try await Harness.run { harness in
            let (_, directory) = try await harness.startedPool()
            writeFile(directory + "/log", [0])
            let volume = try await harness.appears("log", in: "p")
            let signals = try await harness.client.signals(path: volume)
            let counter = Task { @LoopActor in
                var count = 0
                for await signal in signals where signal.member == "PropertiesChanged" {
                    count += 1
                    if signal.body[1].dictionary?["Capacity"]?.unsigned == 60 { break }
                }
                return count
            }
            let began = ContinuousClock.now
            for size in 1...60 {
                writeFile(directory + "/log", [UInt8](repeating: 0, count: size))
                try await Task.sleep(for: .milliseconds(50))  // the writer's pace
            }
            let count = await counter.value
            let seconds = Int((ContinuousClock.now - began) / .seconds(1))
            // Three at once after a rest, then one a second, and the last one.
            #expect(count <= 3 + seconds + 1)
            #expect(count >= seconds)
        }
    }

    @Test func `what is read of a file that somebody holds open is measured again`() async throws {
        try await Harness.run { harness in
            let (_, directory) = try await harness.startedPool()
            writeFile(directory + "/disk", [0])
            let volume = try await harness.appears("disk", in: "p")
            let descriptor = open(directory + "/disk", O_WRONLY | O_CLOEXEC)
            defer { close(descriptor) }
            #expect(ftruncate(descriptor, 1 << 20) == 0)
            // inotify tells of no write before the file is closed.
            let signals = try await harness.client.signals(path: volume)
            _ = try await harness.properties(volume, Harness.volumeInterface)
            for await signal in signals where signal.body[1].dictionary?["Capacity"]?.unsigned == 1 << 20 { break }
        }
    }

    @Test func `a rename is one change: the old object goes, the new one comes with the same key, and nothing else is said`() async throws {
        try await Harness.run { harness in
            let (_, directory) = try await harness.startedPool()
            writeFile(directory + "/old")
            let old = try await harness.appears("old", in: "p")
            let key = try await harness.property(old, Harness.volumeInterface, "Key", as: String.self)
            let signals = try await harness.allSignals()
            rename(directory + "/old", directory + "/new")
            var members: [String] = []
            var newKey: String?
            for await signal in signals {
                members.append("\(signal.member) \(signal.body.first?.path?.description.split(separator: "/").last ?? "")")
                guard signal.member == "InterfacesAdded", case .dictionary(_, _, let interfaces) = signal.body[1] else { continue }
                newKey = interfaces.first?.value.dictionary?["Key"]?.text
                break
            }
            #expect(members == ["InterfacesRemoved old", "InterfacesAdded new"])
            #expect(newKey == key)
            #expect(
                try await harness.call(
                    Harness.manager, Harness.managerInterface, "GetVolumeByKey", key, [String: Variant](), returning: ObjectPath.self)
                    == ObjectPath("/org/cistern1/volumes/p/new"))
        }
    }
}

extension Harness {
    /// Returns the volume when it is there.
    func appears(_ name: String, in pool: String) async throws -> ObjectPath {
        let path = ObjectPath.encode(ObjectPath.encode("/org/cistern1/volumes", pool), name)
        let signals = try await client.signals(pathNamespace: "/org/cistern1/volumes")
        if (try? await volume(pool, name)) != nil { return path }
        for await signal in signals where signal.member == "InterfacesAdded" && signal.body.first?.path == path { break }
        return path
    }
}
