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
