// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import Testing

@testable import Backends

@Suite(.timeLimit(.minutes(1)))
struct JobDirectoryTests {
    private let scratch = StateScratch()

    private func directory() async throws(StorageError) -> JobDirectory {
        try await JobDirectory.open(state: scratch.path + "/state", lane: scratch.lane) { 1_700_000_000 }
    }

    /// A whole run of a daemon.
    private func run(_ body: (JobDirectory) async throws -> Void) async throws {
        let journal = try await directory()
        defer { journal.close() }
        try await body(journal)
    }

    /// A run that only looks.
    private func reopen() async throws -> (next: UInt64, unfinished: [JournalEntry]) {
        let journal = try await directory()
        defer { journal.close() }
        return try await journal.open()
    }

    private func entry(_ id: UInt64, volume: String = "v", notes: [String] = []) -> JournalEntry {
        JournalEntry(id: id, operation: .volumeCreate, uid: 1000, startTime: 123, pool: "p", volume: volume, notes: notes)
    }

    @Test func `a new journal begins with job 1`() async throws {
        let (next, unfinished) = try await reopen()
        #expect(next == 1)
        #expect(unfinished.isEmpty)
        #expect(scratch.mode("state") == 0o700)
        #expect(scratch.mode("state/job-numbers") == 0o600)
    }

    @Test func `unfinished jobs come back with their notes, finished ones do not`() async throws {
        try await run { journal in
            _ = try await journal.open()
            try await journal.reserve(through: 101)
            for id in [UInt64(10), 9, 2] { try await journal.begin(entry(id)) }
            try await journal.note(9, "temporary .cistern-1")
            try await journal.note(9, "line\nbreak \\n \r end = x")
            try await journal.note(9, "")
            await journal.end(2)
            await journal.end(2)
        }
        #expect(scratch.mode("state/jobs/9") == 0o600)
        let (next, unfinished) = try await reopen()
        #expect(next == 101)
        #expect(unfinished == [entry(9, notes: ["temporary .cistern-1", "line\nbreak \\n \r end = x", ""]), entry(10)])
    }

    @Test func `numbers never repeat, whatever order they are reserved in`() async throws {
        try await run { journal in
            let next = try await journal.open().next
            #expect(next == 1)
            await withTaskGroup(of: Void.self) { group in
                for block in 1...20 { group.addTask { try? await journal.reserve(through: UInt64(block) * 100 + 1) } }
            }
        }
        for _ in 0..<2 { #expect(try await reopen().next == 2001) }
    }

    @Test func `an entry beyond the reservation counts too`() async throws {
        try await run { journal in
            _ = try await journal.open()
            try await journal.begin(entry(500))
        }
        #expect(try await reopen().next == 501)
    }

    @Test func `a reservation that was cut off does not count, the ones before do`() async throws {
        _ = try await reopen()
        scratch.write("state/job-numbers", "101\n201\n30")
        #expect(try await reopen().next == 201)
    }

    @Test(arguments: ["garbage\n", "101\n\u{0}\u{0}\n201\n", "-5\n"])
    func `damaged numbers are replaced by the time`(_ text: String) async throws {
        _ = try await reopen()
        scratch.write("state/job-numbers", text)
        #expect(try await reopen().next == 1_700_000_000)
        #expect(try await reopen().next == 1_700_000_000)
    }

    @Test func `an entry cut off anywhere is whole, shorter, or gone; never wrong`() async throws {
        let whole = entry(3, volume: "a\\b\n", notes: ["first", "second"])
        let bytes = Array(whole.text.utf8)
        for count in 0..<bytes.count {
            guard case .entry(let read) = JournalEntry.parse(Array(bytes.prefix(count)), id: 3) else { continue }
            #expect(read.volume == whole.volume)
            #expect(read.notes == Array(whole.notes.prefix(read.notes.count)))
            #expect(read.notes.count < 2)
        }
        guard case .entry(let read) = JournalEntry.parse(bytes, id: 3) else {
            Issue.record("it was not read")
            return
        }
        #expect(read == whole)
    }

    @Test func `a truncated file is removed, a senseless one kept aside, the others come back`() async throws {
        try await run { journal in
            _ = try await journal.open()
            try await journal.begin(entry(1))
        }
        scratch.write("state/jobs/2", "operation=Volume.Cr")
        scratch.write("state/jobs/3", "")
        scratch.write("state/jobs/4", "nonsense\n\n")
        scratch.write("state/jobs/5", "operation=No.Such\nuid=0\nstart-time=0\npool=p\nvolume=\n\n")
        scratch.write("state/jobs/6", [0xFF, 0x3D, 0xFE, 10, 10])
        scratch.write("state/jobs/007", "")
        scratch.write("state/jobs/.cistern-x", "")
        let (next, unfinished) = try await reopen()
        #expect(unfinished == [entry(1)])
        #expect(next == 7)
        #expect(scratch.names("state/jobs") == ["007", "1", "broken-4", "broken-5", "broken-6"])
        #expect(try await reopen().next == 7)
    }

    @Test func `a note on a job that is not there is an error`() async throws {
        let journal = try await directory()
        _ = try await journal.open()
        do {
            try await journal.note(77, "x")
            Issue.record("it was written")
        } catch { #expect(error.code == .notFound) }
        try await journal.begin(entry(77))
        do {
            try await journal.begin(entry(77))
            Issue.record("it was begun twice")
        } catch { #expect(error.code == .exists) }
        #expect(scratch.names("state/jobs") == ["77"])
    }

    @Test func `two daemons never share a directory`() async throws {
        let first = try await directory()
        do {
            _ = try await directory()
            Issue.record("it was shared")
        } catch {
            #expect(error.code == .busy)
            #expect(error.message.contains("another cisternd"))
        }
        first.close()
        _ = try await directory()
    }

    @Test func `many jobs at once`() async throws {
        try await run { journal in
            _ = try await journal.open()
            await withTaskGroup(of: Void.self) { group in
                for id in UInt64(1)...60 {
                    group.addTask {
                        try? await journal.begin(entry(id))
                        try? await journal.note(id, "n")
                        if id % 2 == 0 { await journal.end(id) }
                    }
                }
            }
        }
        let (next, unfinished) = try await reopen()
        #expect(unfinished.map(\.id) == (1...59).filter { $0 % 2 == 1 })
        #expect(unfinished.allSatisfy { $0.notes == ["n"] })
        #expect(next == 60 || next == 61)
    }
}
