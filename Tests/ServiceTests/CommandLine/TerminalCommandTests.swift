// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

/// What only a person at a terminal sees and does.
@Suite struct TerminalCommandTests {
    private static let slow: UInt64 = 4 << 20

    /// A volume that takes seconds to write, followed on a terminal.
    @LoopActor
    private func allocation(_ harness: Harness, _ size: String, columns: UInt16 = 80) async throws -> Screen {
        _ = try await harness.simulatedPool(throttle: Self.slow)
        let screen = try Screen(harness, "volume", "create", "s", "v", size, "--allocation", "full", columns: columns)
        try await screen.wait(for: "left")
        return screen
    }

    @LoopActor
    private func state(_ harness: Harness) async throws -> String {
        let jobs = try await harness.managed("/org/cistern1/jobs")
        let created = jobs.values.compactMap { $0[Harness.jobInterface] }.first { $0["Operation"] == .string("Pool.CreateVolume") }
        return try #require(created?["State"]?.text)
    }

    @Test func `a bar is drawn in place, fits, and ends with a summary`() async throws {
        try await Harness.run(simulate: true) { harness in
            let screen = try await allocation(harness, "6M", columns: 70)
            try await screen.wait(for: "Volume v of 6 MiB is there. 6 MiB in")
            #expect(try await screen.end() == 0)
            let bars = screen.drawings.filter { $0.hasPrefix("v  █") || $0.hasPrefix("v  ░") }
            #expect(bars.count >= 3 && bars.allSatisfy { $0.count < 70 && $0.contains(" % ") }, "\(screen.drawings)")
            #expect(bars.contains { $0.contains("of 6 MiB") && $0.contains("MiB/s") })
        }
    }

    @Test func `a bar follows the width of the window`() async throws {
        try await Harness.run(simulate: true) { harness in
            let screen = try await allocation(harness, "8M")
            screen.resize(columns: 30)
            try await screen.wait(for: "\u{1b}[J")
            let before = screen.drawings.count
            try await screen.wait(for: "is there")
            #expect(try await screen.end() == 0)
            let later = screen.drawings.dropFirst(before).filter { $0.contains("%") }
            #expect(!later.isEmpty && later.allSatisfy { $0.count < 30 }, "\(later)")
        }
    }

    @Test func `Ctrl-C and c cancel the job`() async throws {
        try await Harness.run(simulate: true) { harness in
            let screen = try await allocation(harness, "400M")
            screen.type(Screen.interrupt)
            try await screen.wait(for: "(Enter)? ")
            screen.type("c\n")
            #expect(try await screen.end() == 1)
            #expect(screen.text.contains("cancelled"), "\(screen.text)")
            #expect(try await state(harness) == "cancelled")
            #expect(try await harness.output("volume", "list", "s", "--json") == "[]\n")
        }
    }

    @Test func `Ctrl-C and l leave the job running, and say how to find it`() async throws {
        try await Harness.run(simulate: true) { harness in
            let screen = try await allocation(harness, "400M")
            screen.type(Screen.interrupt)
            try await screen.wait(for: "(Enter)? ")
            screen.type("l\n")
            try await screen.wait(for: "cisternctl job watch")
            #expect(try await screen.end() == 130)
            #expect(try await state(harness) == "running")
        }
    }

    @Test func `Ctrl-C and Enter go on`() async throws {
        try await Harness.run(simulate: true) { harness in
            let screen = try await allocation(harness, "10M")
            screen.type(Screen.interrupt)
            try await screen.wait(for: "(Enter)? ")
            screen.type("\n")
            try await screen.wait(for: "%")
            try await screen.wait(for: "is there")
            #expect(try await screen.end() == 0)
            #expect(try await state(harness) == "completed")
        }
    }

    @Test func `a second Ctrl-C leaves the job running`() async throws {
        try await Harness.run(simulate: true) { harness in
            let screen = try await allocation(harness, "400M")
            screen.type(Screen.interrupt)
            try await screen.wait(for: "(Enter)? ")
            screen.type(Screen.interrupt)
            try await screen.wait(for: "goes on")
            #expect(try await screen.end() == 130)
            #expect(try await state(harness) == "running")
        }
    }

    @Test func `without a terminal Ctrl-C leaves the job running`() async throws {
        try await Harness.run(simulate: true) { harness in
            _ = try await harness.simulatedPool(throttle: Self.slow)
            let signals = try await harness.client.signals(pathNamespace: "/org/cistern1/jobs", member: "PropertiesChanged")
            let pids = AsyncStream.makeStream(of: Int32.self)
            async let ended = Child.run(
                builtProgram("cisternctl"), ["volume", "create", "s", "v", "400M", "--allocation", "full"],
                environment: ["CISTERN_BUS": harness.address], deadline: .seconds(60), onStart: { pids.continuation.yield($0) })
            // By the second report of progress the client follows the job.
            var reports = 0
            for await signal in signals where signal.body[1].dictionary?["BytesDone"]?.unsigned ?? 0 > 0 {
                reports += 1
                if reports == 2 { break }
            }
            for await pid in pids.stream {
                kill(pid, SIGINT)
                break
            }
            let result = try await ended
            #expect(result.status == 130 && result.complaint.contains("cisternctl job watch"), "\(result.complaint)")
            #expect(result.complaint.contains("of 400 MiB"), "a line of progress, for logs")
            #expect(try await state(harness) == "running")
        }
    }

    @Test func `before a volume is lost the person is told what, and asked`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            _ = try await harness.create(pool, "v", 1 << 20, ["allocation": .string("full"), "wait": .bool(true)])
            for (answer, status) in [("n\n", Int32(1)), ("\n", 1)] {
                let screen = try Screen(harness, "volume", "delete", "p", "v")
                try await screen.wait(for: "Volume p/v: raw, 1 MiB, 1 MiB of it in use, \(directory)/v.")
                try await screen.wait(for: "Delete it? [y/N] ")
                screen.type(answer)
                #expect(try await screen.end() == status && screen.text.contains("Nothing was changed."))
                #expect(entries(directory) == ["v"])
            }
            let screen = try Screen(harness, "volume", "delete", "p", "v")
            try await screen.wait(for: "[y/N] ")
            screen.type("y\n")
            #expect(try await screen.end() == 0 && screen.text.contains("Volume v is deleted."))
            #expect(entries(directory).isEmpty)
        }
    }

    @Test func `what was confirmed is what is deleted`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            _ = try await harness.create(pool, "v", 4096)
            let screen = try Screen(harness, "volume", "delete", "p", "v")
            try await screen.wait(for: "[y/N] ")
            // Another volume takes the name while the person thinks.
            try await harness.output("volume", "rename", "p", "v", "first")
            _ = try await harness.create(pool, "v", 8192)
            screen.type("y\n")
            #expect(try await screen.end() == 1 && screen.text.contains("not the one with key"), "\(screen.text)")
            #expect(entries(directory) == ["first", "v"])
        }
    }

    @Test func `colours are for terminals that want them`() async throws {
        try await Harness.run { harness in
            _ = try await harness.startedPool()
            @LoopActor func shown(_ arguments: String..., environment: [String: String] = [:]) async throws -> Bool {
                let screen = try Screen(harness, "pool", "list", arguments.first ?? "--color=auto", environment: environment)
                #expect(try await screen.end() == 0)
                #expect(screen.text.contains("active"))
                return screen.text.contains("\u{1b}[32mactive")
            }
            #expect(try await shown())
            #expect(try await !shown(environment: ["NO_COLOR": "1"]))
            #expect(try await !shown(environment: ["TERM": "dumb"]))
            #expect(try await !shown("--color=never"))
            #expect(try await !harness.output("pool", "list").contains("\u{1b}"))
            #expect(try await harness.output("pool", "list", "--color", "always").contains("\u{1b}[32mactive"))
        }
    }

    @Test func `a secret is typed unseen`() async throws {
        try await Harness.run(start: false) { harness in
            let recorder = try await Recorder(harness)
            defer { recorder.end() }
            let screen = try Screen(harness, "secret", "set", "san")
            try await screen.wait(for: "Secret for san: ")
            screen.type("hunter2\n")
            #expect(try await screen.end() == 0)
            #expect(try recorder.last("SetSecret").content == "hunter2" && recorder.last("SetSecret").mayAsk)
            #expect(!screen.text.contains("hunter2"))
        }
    }

    @Test func `data is not written to a terminal`() async throws {
        try await Harness.run(start: false) { harness in
            let screen = try Screen(harness, "volume", "download", "images", "disk", "-")
            #expect(try await screen.end() == 2)
            #expect(screen.text.contains("--force"))
        }
    }

    @Test func `columns stand under each other whatever the script`() async throws {
        try await Harness.run { harness in
            let (pool, _) = try await harness.startedPool()
            for name in ["一二", "e\u{301}te\u{301}", "plain", "🦊"] { _ = try await harness.create(pool, name, 1 << 20) }
            let lines = try await harness.output("volume", "list", "p").split(separator: "\n").map(String.init)
            // Columns before the format: two for each ideograph and emoji, none for an accent that combines.
            let columns = ["🦊": 2, "一二": 4, "e\u{301}te\u{301}": 3, "plain": 5]
            for line in lines.dropFirst() {
                let name = String(line.dropFirst("POOL  ".count).prefix { $0 != " " })
                let spaces = line.dropFirst("POOL  ".count + name.count).prefix { $0 == " " }.count
                #expect(try #require(columns[name]) + spaces == "plain".count + 2, "\(line)")
            }
            #expect(lines.count == 5)
        }
    }
}
