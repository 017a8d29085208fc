// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import TestSupport
import Testing

@Suite struct EngineTests {
    @Test func `a definition is kept, and is there after a restart`() async throws {
        let bench = Bench()
        let pool = try await bench.definedPool("kept")
        let second = Bench(definitions: bench.definitions, journal: bench.journal)
        try await second.engine.open()
        let again = try await second.engine.pool("kept")
        #expect(again.snapshot.definition == pool.snapshot.definition)
        #expect(again.snapshot.state == .inactive)
    }

    @Test func `a definition that cannot be read is told of, and the others load`() async throws {
        let bench = Bench()
        _ = try await bench.definedPool("good")
        try await bench.definitions.save("bad", xml: "<pool")
        let second = Bench(definitions: bench.definitions)
        try await second.engine.open()
        #expect(await second.engine.pools.map(\.name) == ["good"])
        let notices = second.engine.events.take().compactMap { if case .notice(let pool, _) = $0 { pool } else { nil } }
        #expect(notices == ["bad"])
        #expect(bench.definitions.stored.xml["bad"] != nil)
    }

    @Test func `a name is taken once, replace keeps the UUID, and an active pool is not replaced`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool("p")
        let uuid = pool.snapshot.definition.uuid
        await expect(.exists) { _ = try await bench.definedPool("p") }
        var replace = Engine.DefineOptions()
        replace.replace = true
        await expect(.busy) { _ = try await bench.definedPool("p", replace) }
        try await bench.finish(try await pool.stop(by: 0))
        let same = try await bench.definedPool("p", replace)
        #expect(same.snapshot.definition.uuid == uuid)
    }

    @Test func `settings are checked against the type`() async throws {
        let engine = Bench().engine
        func define(_ settings: [String: Value], type: String = "scripted") async throws {
            _ = try await engine.define(PoolDefinition(name: "p", uuid: "", type: type, settings: settings), .init())
        }
        await expect(.invalidArguments) { try await define([:]) }
        await expect(.invalidArguments) { try await define(["target.path": .uint32(1)]) }
        await expect(.invalidArguments) { try await define(["target.path": .string("/x"), "nonsense": .string("y")]) }
        await expect(.invalidArguments) { try await define(["target.path": .string("/x")], type: "floppy") }
        #expect(await engine.pools.isEmpty)
    }

    @Test func `validate-only leaves nothing`() async throws {
        let bench = Bench()
        var options = Engine.DefineOptions()
        options.validateOnly = true
        let definition = PoolDefinition(name: "p", uuid: "", type: "scripted", settings: ["target.path": .string("/x")])
        #expect(try await bench.engine.define(definition, options) == nil)
        #expect(await bench.engine.pools.isEmpty && bench.definitions.stored.xml.isEmpty)
    }

    @Test func `a definition that cannot be kept is not defined`() async throws {
        let bench = Bench()
        bench.definitions.fail(StorageError(.noSpace, "full"))
        await expect(.noSpace) { _ = try await bench.definedPool() }
        #expect(await bench.engine.pools.isEmpty)
    }

    @Test func `undefine forgets an inactive pool and only that`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool("p")
        await expect(.busy) { try await bench.engine.undefine("p") }
        try await bench.finish(try await pool.stop(by: 0))
        try await bench.engine.undefine("p")
        #expect(bench.definitions.stored.xml.isEmpty)
        await expect(.notFound) { try await bench.engine.undefine("p") }
    }

    @Test func `a transient pool is nowhere on disk and forgotten when it stops`() async throws {
        let bench = Bench()
        var options = Engine.DefineOptions()
        options.transient = true
        let pool = try await bench.definedPool("t", options)
        #expect(!pool.snapshot.persistent && bench.definitions.stored.xml.isEmpty)
        await expect(.notSupported) { try await pool.setAutostart(true) }
        try await bench.finish(try await pool.start(by: 0))
        try await bench.finish(try await pool.stop(by: 0))
        #expect(await bench.engine.pools.isEmpty)
    }

    @Test func `autostart happens once a boot; what was active comes back after a restart`() async throws {
        let bench = Bench()
        var options = Engine.DefineOptions()
        options.autostart = true
        let pool = try await bench.definedPool("auto", options)
        #expect(pool.snapshot.autostart)

        let first = try await restart(bench.definitions)
        try await becomes(.active, "auto", first)
        try await first.finish(try await first.engine.pool("auto").stop(by: 0))

        let second = try await restart(bench.definitions)
        for _ in 0..<500 { await Task.yield() }
        #expect(try await second.engine.pool("auto").snapshot.state == .inactive, "stopped by hand, and the machine has not booted since")
        try await second.finish(try await second.engine.pool("auto").start(by: 0))

        let third = try await restart(bench.definitions)
        try await becomes(.active, "auto", third)
    }

    @Test func `delete needs the UUID and explains itself`() async throws {
        let bench = Bench()
        let pool = try await bench.definedPool()
        await #expect {
            _ = try await pool.delete(confirm: nil, by: 0)
        } throws: {
            ($0 as? StorageError)?.code == .invalidArguments && ($0 as? StorageError)?.message.contains("Undefine") == true
        }
    }

    private func restart(_ definitions: MemoryDefinitions) async throws -> Bench {
        let bench = Bench(definitions: definitions)
        try await bench.engine.open()
        await bench.engine.begin()
        return bench
    }

    private func becomes(_ state: PoolState, _ name: String, _ bench: Bench) async throws {
        let pool = try await bench.engine.pool(name)
        while pool.snapshot.state != state { await Task.yield() }
    }
}
