// SPDX-License-Identifier: LGPL-2.1-or-later
import EventLoop
import Glibc
import Testing

@Suite(.timeLimit(.minutes(1)), .serialized)
struct ChildTests {
    init() { Loop.shared.startThread() }

    private func shell(_ script: String, deadline: Duration = .seconds(20)) async throws -> ChildResult {
        try await Child.run("sh", ["-c", script], deadline: deadline)
    }

    @Test func `captures output, errors and status`() async throws {
        let result = try await shell("echo out; echo oops >&2; exit 3")
        #expect(result.text == "out\n")
        #expect(result.complaint == "oops")
        #expect(result.status == 3)
        #expect(!result.succeeded)
    }

    @Test func `tells which signal ended it`() async throws {
        let result = try await shell("kill -TERM $$")
        #expect(result.signal == SIGTERM)
        #expect(result.status == 0)
    }

    @Test func `arguments are no shell's`() async throws {
        #expect(try await Child.run("printf", ["%s|", "a b", "$HOME", "*", ""], deadline: .seconds(20)).text == "a b|$HOME|*||")
    }

    @Test func `environment is ours alone`() async throws {
        let lines = try await Child.run("env", [], environment: ["LC_ALL": "de", "X": "1"], deadline: .seconds(20)).text
        #expect(lines.split(separator: "\n").sorted() == ["LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "X=1"])
    }

    @Test func `standard input is empty, no other descriptor is open`() async throws {
        #expect(try await Child.run("cat", [], deadline: .seconds(20)).output.isEmpty)
        let open = try await Child.run("ls", ["/proc/self/fd"], deadline: .seconds(20)).text
        #expect(open == "0\n1\n2\n3\n")  // 3 is the listing's own
    }

    @Test func `signals are as a program expects them`() async throws {
        let status = try await Child.run("cat", ["/proc/self/status"], deadline: .seconds(20)).text
        func mask(_ name: String) -> UInt64? {
            let line = status.split(separator: "\n").first { $0.hasPrefix(name) }
            return (line?.split(separator: "\t").last).flatMap { UInt64($0, radix: 16) }
        }
        #expect(mask("SigBlk") == 0)
        #expect(mask("SigIgn").map { $0 & 0x7fff_ffff } == 0)
    }

    @Test func `keeps the first MiB of a flood and reads on`() async throws {
        let result = try await Child.run("head", ["-c", "5000000", "/dev/zero"], deadline: .seconds(20))
        #expect(result.output.count == Child.outputLimit)
        #expect(result.succeeded)
    }

    @Test func `a program that closes its output costs nothing until it ends`() async throws {
        let before = await loopTime()
        let result = try await shell("exec >&- 2>&-; sleep 0.3")
        #expect(result.succeeded)
        #expect(await loopTime() - before < .milliseconds(100))
    }

    /// What the loop's thread has used of a processor.
    @LoopActor private func loopTime() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    @Test func `a program's daemon does not hold its result back`() async throws {
        let result = try await shell("sleep 5 & echo done")
        #expect(result.text == "done\n")
    }

    @Test func `kills the whole group at the deadline`() async throws {
        var template = Array("/tmp/child-test-XXXXXX".utf8CString)
        let file = mkstemp(&template)
        defer {
            close(file)
            unlink(template)
        }
        let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        let pid = Locked(Int32(0))
        await #expect(throws: LoopError("finish /usr/bin/sh", code: ETIMEDOUT)) {
            try await Child.run(
                "sh", ["-c", "sleep 60 & echo $! > $0; wait", path], deadline: .milliseconds(200),
                onStart: { started in pid.withLock { $0 = started } })
        }
        let started = pid.withLock { $0 }
        #expect(started > 0)
        #expect(kill(started, 0) == -1 && errno == ESRCH)
        var text = [UInt8](repeating: 0, count: 16)
        let count = max(0, read(file, &text, 16))
        let grandchild = try #require(Int32(String(decoding: text.prefix(count).filter { $0 > 32 }, as: UTF8.self)))
        while !isGone(grandchild) { try await Task.sleep(for: .milliseconds(2)) }
    }

    /// Whether the process has ended; whoever is its parent may not have reaped it yet.
    private func isGone(_ pid: Int32) -> Bool {
        let file = open("/proc/\(pid)/stat", O_RDONLY)
        guard file >= 0 else { return true }
        defer { close(file) }
        var text = [UInt8](repeating: 0, count: 256)
        let count = max(0, read(file, &text, 256))
        return count == 0 || String(decoding: text.prefix(count), as: UTF8.self).contains(") Z ")
    }

    @Test func `kills on cancellation`() async throws {
        let (started, continuation) = AsyncStream<Int32>.makeStream()
        let task = Task { try await Child.run("sleep", ["60"], deadline: .seconds(50), onStart: { continuation.yield($0) }) }
        var pids = started.makeAsyncIterator()
        let pid = try #require(await pids.next())
        task.cancel()
        await #expect(throws: LoopError("finish /usr/bin/sleep", code: ECANCELED)) { try await task.value }
        #expect(kill(pid, 0) == -1 && errno == ESRCH)
    }

    @Test func `a task cancelled before starts nothing`() async {
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await Child.run("sleep", ["60"], deadline: .seconds(50))
        }
        await #expect(throws: LoopError("run sleep", code: ECANCELED)) { try await task.value }
    }

    @Test func `what is no program is an error`() async {
        await #expect(throws: LoopError("find the program no-such-program", code: ENOENT)) {
            try await Child.run("no-such-program", deadline: .seconds(5))
        }
        await #expect(throws: LoopError("start /no/such", code: ENOENT)) { try await Child.run("/no/such", deadline: .seconds(5)) }
        await #expect(throws: LoopError("start /etc/passwd", code: EACCES)) { try await Child.run("/etc/passwd", deadline: .seconds(5)) }
        await #expect(throws: LoopError("run echo", code: EINVAL)) { try await Child.run("echo", ["a\0b"], deadline: .seconds(5)) }
    }

    @Test func `leaves no zombie and no descriptor`() async throws {
        _ = try await shell("true")
        let before = descriptors()
        let pids = Locked([Int32]())
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<60 {
                group.addTask {
                    let limit = number % 4 == 0 ? Duration.milliseconds(20) : .seconds(20)
                    _ = try? await Child.run(
                        "sleep", [number % 4 == 0 ? "9" : "0"], deadline: limit, onStart: { pid in pids.withLock { $0.append(pid) } })
                }
            }
        }
        #expect(pids.withLock { $0.count } == 60)
        for pid in pids.withLock({ $0 }) { #expect(kill(pid, 0) == -1 && errno == ESRCH) }
        #expect(descriptors() < before + 60)  // other tests of this process have theirs
    }

    private func descriptors() -> Int {
        guard let directory = opendir("/proc/self/fd") else { return -1 }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        return count
    }
}
