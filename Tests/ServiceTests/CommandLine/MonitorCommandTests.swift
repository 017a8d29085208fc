// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@Suite struct MonitorCommandTests {
    @Test func `a line for each change, from what to what`() async throws {
        try await Harness.run { harness in
            let (_, directory) = try await harness.startedPool()
            let screen = try Screen(harness, "monitor", columns: 200)
            try await screen.wait(for: "Watching")
            try await harness.output("volume", "create", "p", "v", "1M")
            try await screen.wait(for: "volume p/v\u{1b}[0m  is new: raw, 1 MiB, \u{1b}[32mready")
            try await harness.output("volume", "resize", "p", "v", "2M")
            try await screen.wait(for: "Capacity 1 MiB → 2 MiB")
            try await harness.output("pool", "autostart", "p", "on")
            try await screen.wait(for: "pool p\u{1b}[0m  Autostart no → yes")
            unlink(directory + "/v")
            try await screen.wait(for: "volume p/v\u{1b}[0m  is gone")
            try await harness.output("pool", "stop", "p")
            try await screen.wait(for: "has \u{1b}[32mcompleted")
            screen.type(Screen.interrupt)
            #expect(try await screen.end() == 130)
        }
    }

    @Test func `it survives the daemon's restart and tells what has changed`() async throws {
        try await Harness.run { harness in
            let (_, directory) = try await harness.startedPool()
            try await harness.output("pool", "autostart", "p", "on")
            let screen = try Screen(harness, "monitor", "--color=never", columns: 200)
            try await screen.wait(for: "Watching")
            await harness.kill(SIGKILL)
            try await screen.wait(for: "cisternd  has stopped")
            writeFile(directory + "/new.img")
            try await harness.startDaemon()
            try await screen.wait(for: "cisternd  has started")
            try await screen.wait(for: "volume p/new.img  is new")
            screen.type(Screen.interrupt)
            #expect(try await screen.end() == 130)
        }
    }

    @Test func `a job's progress is told as a bar would`() async throws {
        try await Harness.run(simulate: true) { harness in
            _ = try await harness.simulatedPool(throttle: 4 << 20)
            let screen = try Screen(harness, "monitor", "--color=never", columns: 200)
            try await screen.wait(for: "Watching")
            try await harness.output("volume", "create", "s", "v", "400M", "--allocation", "full", "--no-wait")
            try await screen.wait(for: "of 400 MiB, ")
            try await screen.wait(for: " left")
            screen.type(Screen.interrupt)
            #expect(try await screen.end() == 130)
        }
    }

    @Test func `JSON is an object a line`() async throws {
        try await Harness.run { harness in
            _ = try await harness.startedPool()
            let screen = try Screen(harness, "monitor", "--json", columns: 1000)
            try await screen.wait(for: "Watching")
            try await harness.output("pool", "autostart", "p", "on")
            try await screen.wait(for: "\"Previous\": {\"Autostart\": false}}")
            screen.type(Screen.interrupt)
            #expect(try await screen.end() == 130)
            let line = try #require(screen.text.split(separator: "\r\n").first { $0.hasPrefix("{") && $0.contains("Autostart") })
            let change = try JSONObject(String(line))
            #expect(change["Change"] == "changed" && change["Object"] == "/org/cistern1/pools/p")
            #expect(change.object("Properties")?.flag("Autostart") == true && change.object("Previous")?.flag("Autostart") == false)
            #expect((change.number("Time") ?? 0) > 1_700_000_000_000_000)
        }
    }
}
