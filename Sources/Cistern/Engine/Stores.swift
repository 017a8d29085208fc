// SPDX-License-Identifier: LGPL-2.1-or-later

/// Where definitions are kept. All calls may be made from any task; what blocks runs elsewhere.
public protocol DefinitionStore: Sendable {
    /// Everything that is kept.
    func load() async throws(StorageError) -> StoredDefinitions
    /// Keeps the pool's XML: written aside, synced, renamed over, the directory synced.
    func save(_ name: String, xml: String) async throws(StorageError)
    /// Forgets the pool and its autostart link. Forgetting what is not there succeeds.
    func remove(_ name: String) async throws(StorageError)
    /// Makes or removes the autostart link.
    func setAutostart(_ name: String, _ autostart: Bool) async throws(StorageError)
    /// Keeps until the next boot that the pool is, or is not, to be active, so that a restarted daemon brings it back.
    func setActive(_ name: String, _ active: Bool) async throws(StorageError)
    /// True once per boot and runtime directory: when autostart pools are to be started.
    func claimBoot() async throws(StorageError) -> Bool
}

/// What a definition store holds.
public struct StoredDefinitions: Sendable {
    /// Pool name to XML.
    public var xml: [String: String]
    /// Names with an autostart link.
    public var autostart: Set<String>
    /// Names of pools that were active when an earlier run of this boot ended.
    public var active: Set<String> = []
    /// Files that could not be read, with the reason.
    public var unreadable: [SkippedEntry]

    /// What a definition store holds.
    public init(xml: [String: String] = [:], autostart: Set<String> = [], unreadable: [SkippedEntry] = []) {
        self.xml = xml
        self.autostart = autostart
        self.unreadable = unreadable
    }
}

/// One unfinished job as the journal has it.
public struct JournalEntry: Sendable, Hashable {
    public let id: UInt64
    public let operation: Operation
    public let uid: UInt32
    /// Microseconds since the epoch.
    public let startTime: UInt64
    public let pool: String
    /// The volume's name; empty if the job is about the pool.
    public let volume: String
    /// What the backend journaled, oldest first.
    public var notes: [String]

    /// An unfinished job.
    public init(
        id: UInt64, operation: Operation, uid: UInt32, startTime: UInt64, pool: String, volume: String, notes: [String] = []
    ) {
        self.id = id
        self.operation = operation
        self.uid = uid
        self.startTime = startTime
        self.pool = pool
        self.volume = volume
        self.notes = notes
    }
}

extension JournalEntry {
    private static let completed = "ended completed"
    private static let failed = "ended "

    /// The last note of a job that has ended, which the outside may know already.
    static func note(of outcome: Result<Void, StorageError>) -> String {
        switch outcome {
        case .success: completed
        case .failure(let error): "\(failed)\(error.code.rawValue) \(error.message)"
        }
    }

    /// How the job ended; nil if it was interrupted.
    var outcome: Result<Void, StorageError>? {
        guard let note = notes.last, note.hasPrefix(Self.failed) else { return nil }
        if note == Self.completed { return .success(()) }
        let words = note.dropFirst(Self.failed.count).split(separator: " ", maxSplits: 1)
        guard words.count == 2, let code = StorageError.Code(rawValue: String(words[0])) else { return nil }
        return .failure(StorageError(code, String(words[1])))
    }
}

/// Where unfinished jobs are kept, and where their numbers come from.
public protocol JobJournal: Sendable {
    /// Reads what an earlier run left, and reserves numbers: ids from the answer on were never handed out.
    func open() async throws(StorageError) -> (next: UInt64, unfinished: [JournalEntry])
    /// Called before a job number at or above a multiple of the reservation is used; durable when it returns.
    func reserve(through id: UInt64) async throws(StorageError)
    /// Keeps the entry; durable when it returns.
    func begin(_ entry: JournalEntry) async throws(StorageError)
    /// Adds a note to an entry; durable when it returns.
    func note(_ id: UInt64, _ line: String) async throws(StorageError)
    /// Forgets the entry.
    func end(_ id: UInt64) async
}
