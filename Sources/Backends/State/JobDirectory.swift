// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
public import EventLoop
import Glibc

/// The journal as files: one in `jobs` for each unfinished job, and `job-numbers` with what has been reserved.
///
/// One process at a time may have a state directory open.
public final class JobDirectory: JobJournal {
    private let blocking: Blocking
    private let root: StateFolder
    private let jobs: StateFolder
    /// Seconds since the epoch.
    private let clock: @Sendable () -> UInt64

    /// Opens the directory, and makes it (mode 0700) if it is missing.
    ///
    /// - Parameters:
    ///   - state: as `/var/lib/cistern`.
    ///   - lane: runs whatever blocks.
    /// - Throws: `busy` if another process has it open.
    public static func open(state: String, lane: Lane) async throws(StorageError) -> JobDirectory {
        try await open(state: state, lane: lane) { UInt64(clamping: time(nil)) }
    }

    static func open(state: String, lane: Lane, clock: @escaping @Sendable () -> UInt64) async throws(StorageError) -> JobDirectory {
        let blocking = Blocking(state: "directory \(state)", lane)
        return try await blocking.keep("use the directory \(state)") {
            let root = try StateFolder(state)
            try root.lockAlone()
            return try JobDirectory(root, blocking, clock)
        }
    }

    private init(_ root: StateFolder, _ blocking: Blocking, _ clock: @escaping @Sendable () -> UInt64) throws(Errno) {
        self.root = root
        self.blocking = blocking
        self.clock = clock
        jobs = try root.folder("jobs")
    }

    /// Lets another process have the directory. To be called when nothing else will be.
    public func close() { root.close() }

    public func open() async throws(StorageError) -> (next: UInt64, unfinished: [JournalEntry]) {
        try await blocking.keep("read the journal in \(self.root.path)") { [self] in
            for folder in [root, jobs] { try folder.removeLeftovers() }
            let reserved = try reservedNumber()
            var next = max(1, reserved.number)
            var unfinished: [JournalEntry] = []
            for name in try jobs.names() {
                guard let id = UInt64(name), String(id) == name else { continue }
                next = max(next, id == .max ? id : id + 1)
                if let entry = try read(id) { unfinished.append(entry) }
            }
            // A start writes nothing unless it has to: that would wait for the disk.
            if !reserved.isTidy || next != reserved.number { try root.replace(Self.numbers, Self.line(next)) }
            return (next, unfinished.sorted { $0.id < $1.id })
        }
    }

    public func reserve(through id: UInt64) async throws(StorageError) {
        try await blocking.keep("reserve job numbers in \(self.root.path)") { [self] in try root.append(Self.numbers, Self.line(id)) }
    }

    public func begin(_ entry: JournalEntry) async throws(StorageError) {
        try await blocking.keep("write job \(entry.id) to the journal") { [self] in
            do throws(Errno) { try jobs.make(String(entry.id), Array(entry.text.utf8)) } catch {
                if error.code != EEXIST { try? jobs.remove(String(entry.id)) }
                throw error
            }
        }
    }

    public func note(_ id: UInt64, _ line: String) async throws(StorageError) {
        try await blocking.keep("write to the journal of job \(id)") { [self] in
            try jobs.append(String(id), Array(JournalEntry.line("note", line).utf8))
        }
    }

    /// A crash soon after may bring the entry back, and what it tells of will be found complete.
    public func end(_ id: UInt64) async {
        let jobs = jobs
        let blocking = blocking
        // What cannot be removed now is looked at after the next start.
        try? await blocking.keep("forget job \(id)") { try jobs.remove(String(id)) }
    }

    // MARK: Numbers

    private static let numbers = "job-numbers"
    /// Bytes of the file of numbers; a longer one is written anew at the next start.
    private static let tidyLength = 1024

    private static func line(_ number: UInt64) -> [UInt8] { Array("\(number)\n".utf8) }

    /// The largest number that was ever reserved. A line without its end was not reserved, since nobody was told so.
    ///
    /// If the file is damaged, the time in seconds, which is ahead of all numbers unless there was a job a second ever since 1970.
    ///
    /// - Returns: it, and whether the file is fit to have lines added.
    private func reservedNumber() throws(Errno) -> (number: UInt64, isTidy: Bool) {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try root.read(Self.numbers) } catch {
            if error.code == ENOENT { return (0, false) }
            if error.code == EFBIG || error.code == EINVAL { return (clock(), false) }
            throw error
        }
        var largest: UInt64 = 0
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast() {
            guard let number = UInt64(String(decoding: line, as: UTF8.self)) else {
                return (max(largest, clock()), false)
            }
            largest = max(largest, number)
        }
        return (largest, bytes.last == UInt8(ascii: "\n") && bytes.count <= Self.tidyLength)
    }

    // MARK: Entries

    /// An entry that a crash cut off was never begun, so nobody waits for it. One that makes no sense is kept aside for people.
    private func read(_ id: UInt64) throws(Errno) -> JournalEntry? {
        let bytes = try jobs.read(String(id), limit: 16 << 20)
        switch JournalEntry.parse(bytes, id: id) {
        case .entry(let entry): return entry
        case .cutOff: try jobs.remove(String(id))
        case .broken: try jobs.rename(String(id), to: "broken-\(id)")
        }
        return nil
    }
}
