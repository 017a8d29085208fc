// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

/// What work costs, counted: system calls and messages are the same on every machine.
@Suite struct CountTests {
    private static let files = 2000

    @Test func `a sparse volume costs its call, its reply, and two signals at most`() async throws {
        try await Harness.run { harness in
            let (pool, _) = try await harness.startedPool()
            _ = try await harness.create(pool, "warm", 4096)
            let count = 100
            let messages = try await harness.messages {
                for n in 0..<count { _ = try await harness.create(pool, "v\(n)", 4096) }
            }
            let kinds = messages.mapValues { Double($0) / Double(count) }
            // The monitor is ended from outside, and may owe us the last ones.
            for kind in ["CreateVolume", "InterfacesAdded", "reply"] {
                #expect((0.9...(kind == "reply" ? 1.05 : 1)).contains(kinds[kind, default: 0]), "\(messages)")
            }
            #expect(kinds["PropertiesChanged", default: 0] <= 1, "\(messages)")
            let known: Set<String> = ["CreateVolume", "InterfacesAdded", "PropertiesChanged", "reply"]
            let others = messages.filter { !known.contains($0.key) }
            #expect(others.values.reduce(0, +) <= 5, "\(others)")
        }
    }

    @Test(.enabled(if: mayTrace, "wants strace and the right to trace other processes"))
    func `a rescan costs one system call for each file that is as it was`() async throws {
        try await Harness.run { harness in
            let (pool, _) = try await Self.filledPool(harness)
            let calls = try await harness.systemCalls {
                _ = try await harness.job(pool, "Refresh", ["wait": .bool(true)])
            }
            let looks = calls.filter { $0.key.contains("stat") }.values.reduce(0, +)
            #expect(looks >= Self.files * 9 / 10, "the counting works: \(calls)")
            #expect(looks <= Self.files * 11 / 10, "\(calls)")
            #expect(calls.filter { $0.key.hasPrefix("open") }.values.reduce(0, +) <= 20, "\(calls)")
            #expect(
                calls["pread64", default: 0] + calls["name_to_handle_at", default: 0] + calls["fgetxattr", default: 0] <= 20, "\(calls)")
        }
    }

    @Test(.enabled(if: mayTrace, "wants strace and the right to trace other processes"))
    func `a first scan costs seven system calls for each file`() async throws {
        try await Harness.run { harness in
            let (pool, _) = try await Self.filledPool(harness)
            _ = try await harness.job(pool, "Stop", ["wait": .bool(true)])
            let calls = try await harness.systemCalls {
                _ = try await harness.job(pool, "Start", ["wait": .bool(true)])
            }
            let ofFiles = ["open", "close", "stat", "pread", "name_to", "xattr", "getdents", "ioctl", "lseek", "fadvise"]
            let sum = calls.filter { call in ofFiles.contains { call.key.contains($0) } }.values.reduce(0, +)
            #expect(sum >= Self.files, "the counting works: \(calls)")
            #expect(sum <= Self.files * 7 + 200, "\(calls)")
        }
    }

    @LoopActor private static func filledPool(_ harness: Harness) async throws -> (pool: ObjectPath, directory: String) {
        let directory = harness.root + "/p"
        mkdir(directory, 0o755)
        let image = Array(qcow2(1 << 30).prefix(4096))
        for n in 0..<files { writeFile(directory + "/f\(n)", n % 2 == 0 ? image : [1, 2, 3]) }
        return try await harness.startedPool("p", directory: directory)
    }

    /// Whether strace can attach to a process here: it is root's right, and containers often take it away.
    private static let mayTrace: Bool = {
        guard access("/usr/bin/strace", X_OK) == 0 else { return false }
        let scope = readFile("/proc/sys/kernel/yama/ptrace_scope").first.flatMap { Int(String($0)) } ?? 0
        let effective = readFile("/proc/self/status").split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        let capabilities = effective.flatMap { UInt64($0.dropFirst("CapEff:".count).drop { $0 == "\t" }, radix: 16) } ?? 0
        return scope == 0 || (scope < 3 && capabilities >> 19 /* CAP_SYS_PTRACE */ & 1 == 1)
    }()
}

extension Harness {
    /// System calls of the daemon, all threads, while something is done: name to count.
    func systemCalls(of work: @LoopActor () async throws -> Void) async throws -> [String: Int] {
        let report = root + "/strace"
        let daemon = pid
        let tracer = try await started("strace", ["-f", "-c", "-o", report, "-p", String(daemon)])
        try await eventually("strace is attached") {
            entries("/proc/\(daemon)/task").allSatisfy {
                readFile("/proc/\(daemon)/task/\($0)/status").contains("TracerPid:\t\(tracer.pid)")
            }
        }
        try await work()
        Glibc.kill(tracer.pid, SIGINT)
        _ = try await tracer.result.value
        var calls: [String: Int] = [:]
        for line in readFile(report).split(separator: "\n").dropFirst(2) {
            let words = line.split(separator: " ")
            guard words.count >= 5, let name = words.last, name != "total", let count = Int(words[3]) else { continue }
            calls[String(name)] = count
        }
        return calls
    }

    /// Messages on the bus while something is done: the member, or "reply", to how many.
    func messages(of work: @LoopActor () async throws -> Void) async throws -> [String: Int] {
        let owners = try await client.signals(path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus", member: "NameOwnerChanged")
        let monitor = try await started("dbus-monitor", ["--address", address, "--profile"])
        // A monitor gives its name up when it begins.
        for await signal in owners where signal.body.first?.text?.hasPrefix(":") == true && signal.body.last?.text == "" { break }
        try await work()
        try client.emit("/", "org.test", "End")
        try await client.call("org.freedesktop.DBus", "/", "org.freedesktop.DBus.Peer", "Ping")
        Glibc.kill(monitor.pid, SIGINT)
        var messages: [String: Int] = [:]
        for line in try await monitor.result.value.text.split(separator: "\n") {
            let words = line.split(separator: "\t")
            guard let kind = words.first else { continue }
            if kind == "mr" { messages["reply", default: 0] += 1 }
            if kind == "sig" || kind == "mc", let member = words.last, member != "NameAcquired" {
                messages[String(member), default: 0] += 1
            }
        }
        return messages
    }

    private func started(_ program: String, _ arguments: [String]) async throws -> (pid: Int32, result: Task<ChildResult, any Error>) {
        let (pids, found) = AsyncStream.makeStream(of: Int32.self)
        let result = Task { try await Child.run(program, arguments, deadline: .seconds(120)) { found.yield($0) } }
        for await pid in pids { return (pid, result) }
        throw BusError.failed("\(program) did not start")
    }
}
