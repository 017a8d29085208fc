// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
import Synchronization

/// A definition store that lasts as long as the test; give it to a second engine to play a restart.
public final class MemoryDefinitions: DefinitionStore {
    private struct State {
        var stored = StoredDefinitions()
        var booted = false
        var failure: StorageError?
    }
    private let state = Mutex(State())

    public init() {}

    /// What is stored now.
    public var stored: StoredDefinitions { state.withLock { $0.stored } }
    /// Every change fails from now on, or no more.
    public func fail(_ error: StorageError?) { state.withLock { $0.failure = error } }
    /// The machine has booted: autostart is due again, and nothing is active any more.
    public func reboot() {
        state.withLock { state in
            state.booted = false
            state.stored.active = []
        }
    }

    public func load() async throws(StorageError) -> StoredDefinitions { stored }
    public func save(_ name: String, xml: String) async throws(StorageError) { try change { $0.xml[name] = xml } }
    public func remove(_ name: String) async throws(StorageError) {
        try change { stored in
            stored.xml[name] = nil
            stored.autostart.remove(name)
            stored.active.remove(name)
        }
    }
    public func setAutostart(_ name: String, _ autostart: Bool) async throws(StorageError) {
        try change { if autostart { $0.autostart.insert(name) } else { $0.autostart.remove(name) } }
    }
    public func setActive(_ name: String, _ active: Bool) async throws(StorageError) {
        try change { if active { $0.active.insert(name) } else { $0.active.remove(name) } }
    }
    public func claimBoot() async throws(StorageError) -> Bool {
        state.withLock { state in
            defer { state.booted = true }
            return !state.booted
        }
    }

    private func change(_ body: (inout StoredDefinitions) -> Void) throws(StorageError) {
        let failure = state.withLock { state in
            if state.failure == nil { body(&state.stored) }
            return state.failure
        }
        if let failure { throw failure }
    }
}

/// A journal that lasts as long as the test.
public final class MemoryJournal: JobJournal {
    private struct State {
        var reserved: UInt64 = 1
        var entries: [UInt64: JournalEntry] = [:]
        var begun = 0
    }
    private let state = Mutex(State())

    public init() {}

    /// What a crash would leave.
    public var unfinished: [JournalEntry] { state.withLock { $0.entries.values.sorted { $0.id < $1.id } } }
    /// How many entries there have ever been.
    public var begun: Int { state.withLock { $0.begun } }
    /// Puts an entry as if an earlier run had left it.
    public func leave(_ entry: JournalEntry) {
        state.withLock { state in
            state.entries[entry.id] = entry
            state.reserved = max(state.reserved, entry.id + 1)
        }
    }

    public func open() async throws(StorageError) -> (next: UInt64, unfinished: [JournalEntry]) {
        (state.withLock { $0.reserved }, unfinished)
    }
    public func reserve(through id: UInt64) async throws(StorageError) { state.withLock { $0.reserved = max($0.reserved, id) } }
    public func begin(_ entry: JournalEntry) async throws(StorageError) {
        state.withLock { state in
            state.entries[entry.id] = entry
            state.begun += 1
        }
    }
    public func note(_ id: UInt64, _ line: String) async throws(StorageError) {
        state.withLock { $0.entries[id]?.notes.append(line) }
    }
    public func end(_ id: UInt64) async { state.withLock { _ = $0.entries.removeValue(forKey: id) } }
}
