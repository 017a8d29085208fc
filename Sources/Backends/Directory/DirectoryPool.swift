// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
public import EventLoop
import Glibc

/// Volumes are the regular files of one directory, which may be one that is there, or a file system that is mounted for the pool.
///
/// The directory is opened anew for every operation and must then be the one that was started, whatever its path leads to by
/// then: a pool keeps no file system from being unmounted, and never works in the wrong place.
public final class DirectoryPool: LazilyStopping, Limited {
    /// How the pool treats its file system; tests turn things off that theirs has.
    public struct Tuning: Sendable {
        /// Whether new volumes are built without a name where the file system can (O_TMPFILE).
        public var namelessFiles = true
        /// How long a system call may take before the directory is taken for hung.
        public var patience = Duration.seconds(10)

        public init() {}
    }

    struct State {
        /// What was started; nil while stopped.
        var identity: FileStatus.Identity?
        /// Whether it took changes when it was started.
        var tookChanges = false
        /// Of the directory that was last opened.
        var keys: (FileStatus.Identity, FileKeys)?
        /// What entries looked like when they were last read, volumes only.
        var stamps: [String: Stamp] = [:]
        /// Names that share their file with another name in the directory.
        var sharedNames: Set<String> = []
        /// Files that belong to another one's volume, with its name.
        var extents: [String: String] = [:]
        /// Files that could not be made durable, until their names are taken back; what cannot be written to may go on showing them.
        var undurable: Set<FileStatus.Identity> = []
        /// Formats of files that we made where no attribute can say so.
        var declared: [FileStatus.Identity: String] = [:]
        /// `Details` of images that are alike.
        var details: [Alike] = []
        var watches: [ObjectIdentifier: WeakQueue] = [:]
    }

    public let targetPath: String
    public var limits: [Operation: String] { [:] }
    public var takesChangesTogether: Bool { true }
    let definition: PoolDefinition
    let tuning: Tuning
    let blocking: Blocking
    let inotify: Inotify
    let drafts: Drafts
    let company = SpaceFiller.Company()
    let syncs: SyncQueue
    /// nil if the directory stands on nothing but itself.
    let ground: (any Ground)?
    let state = Locked(State())

    /// - Parameters:
    ///   - lane: where everything runs that may block.
    ///   - inotify: shared by all pools.
    ///   - drafts: shared by all pools.
    /// - Throws: `invalidArguments` if `target.path` is missing or no absolute path.
    public convenience init(
        _ definition: PoolDefinition, lane: Lane, inotify: Inotify, drafts: Drafts, tuning: Tuning = Tuning()
    ) throws(StorageError) {
        try self.init(definition, lane: lane, inotify: inotify, drafts: drafts, tuning: tuning) { (_, _) throws(StorageError) in nil }
    }

    /// - Parameter ground: makes what the directory stands on, of its path and of where it may block.
    init(
        _ definition: PoolDefinition, lane: Lane, inotify: Inotify, drafts: Drafts, tuning: Tuning = Tuning(),
        ground: (_ path: String, _ blocking: Blocking) throws(StorageError) -> (any Ground)?
    ) throws(StorageError) {
        self.definition = definition
        self.inotify = inotify
        self.drafts = drafts
        self.tuning = tuning
        targetPath = try Self.checkedPath(definition)
        blocking = Blocking(lane: lane, place: "directory \(targetPath)", patience: tuning.patience)
        syncs = SyncQueue(blocking)
        self.ground = try ground(targetPath, blocking)
    }

    private static func checkedPath(_ definition: PoolDefinition) throws(StorageError) -> String {
        func refuse(_ why: String) -> StorageError { StorageError(.invalidArguments, "Pool \(definition.name): target.path \(why).") }
        guard let path = definition.string("target.path"), !path.isEmpty else {
            throw refuse("is missing; name the directory of the pool")
        }
        guard path.utf8.first == UInt8(ascii: "/") else { throw refuse("“\(path)” is relative; give an absolute path") }
        guard !path.utf8.contains(0) else { throw refuse("contains a NUL character; name the directory of the pool") }
        guard path.utf8.count < Int(PATH_MAX) else { throw refuse("is longer than \(PATH_MAX - 1) bytes; use a shorter path") }
        let trimmed = path.utf8.reversed().drop { $0 == UInt8(ascii: "/") }.reversed()
        return trimmed.isEmpty ? "/" : String(decoding: Array(trimmed), as: UTF8.self)
    }

    public func start(_ progress: Progress) async throws(StorageError) -> String {
        try await ground?.mount(progress)
        let (identity, takesChanges) = try await blocking.run(self.action("start", nil)) { [self] in
            let directory = try openDirectory()
            return (try directory.status().identity, (try? directory.requireLiving()) != nil)
        }
        let isAnother = state.withLock { state in
            defer { (state.identity, state.tookChanges) = (identity, takesChanges) }
            return state.identity != nil && state.identity != identity
        }
        if isAnother { forgetEntries() }
        return identity.description
    }

    public func stop(_ progress: Progress) async throws(StorageError) { try await stop(lazy: false, progress) }

    public func stop(lazy: Bool, _ progress: Progress) async throws(StorageError) {
        try await ground?.unmount(lazy: lazy, progress)
        state.withLock { $0.identity = nil }
        forgetEntries()
        await endWatches()
    }

    private func forgetEntries() {
        state.withLock { state in
            state.keys = nil
            state.stamps = [:]
            state.sharedNames = []
            state.extents = [:]
            state.undurable = []
        }
    }

    // MARK: - For all operations

    /// The open directory and what gives its files their keys.
    struct Place: Sendable {
        let directory: Directory
        let keys: FileKeys
    }

    /// On the lane: the pool's directory.
    ///
    /// - Throws: `unavailable` if it is not there, or another one is in its place.
    func openPlace() throws -> Place {
        let directory = try openDirectory()
        let identity = try directory.status().identity
        if let expected = state.withLock({ $0.identity }), identity != expected {
            throw StorageError(
                .unavailable,
                "Directory \(targetPath) of pool \(definition.name) is not the one that was started any more; stop and start the pool.")
        }
        return Place(directory: directory, keys: try keys(for: directory, identity))
    }

    /// What makes keys, asked for once in a directory.
    private func keys(for directory: Directory, _ identity: FileStatus.Identity) throws(Errno) -> FileKeys {
        if let (known, keys) = state.withLock({ $0.keys }), known == identity { return keys }
        let keys = try FileKeys(for: directory)
        state.withLock { $0.keys = (identity, keys) }
        return keys
    }

    func openDirectory() throws -> Directory {
        do throws(Errno) { return try Directory.open(targetPath) } catch {
            let wayOut =
                switch error.code {
                case ENOENT: "does not exist; create it, or build the pool"
                case ENOTDIR: "is not a directory; remove what is there, or give the pool another path"
                default: "cannot be opened: \(error.text)"
                }
            throw StorageError(.unavailable, "Directory \(targetPath) of pool \(definition.name) \(wayOut).")
        }
    }

    /// A hold on the volume's file.
    ///
    /// - Throws: `notFound` unless the name still is the file with the volume's key.
    func reference(to volume: Volume, in place: Place) throws -> (FileReference, FileStatus) {
        let reference: FileReference
        do throws(Errno) { reference = try place.directory.look(at: volume.name) } catch {
            if error.code == ENOENT || error.code == ELOOP { throw gone(volume) }
            throw error
        }
        let status = try reference.status()
        guard status.isRegular, try place.keys.key(of: reference, status) == volume.key else { throw gone(volume) }
        return (reference, status)
    }

    func gone(_ volume: Volume) -> StorageError {
        StorageError(
            .notFound,
            "Pool \(definition.name) has another file under the name \(volume.name), or none, any more; look the volume up again.")
    }

    func busy(_ volume: String, _ taken: Lease.Taken) -> StorageError {
        let names = taken.holders.prefix(3).map(\.description) + (taken.holders.count > 3 ? ["\(taken.holders.count - 3) more"] : [])
        let holders = names.isEmpty ? "in another process" : "in " + names.joined(separator: ", ")
        return StorageError(.busy, "Volume \(volume) in pool \(definition.name) is open \(holders); close it there first.")
    }

    /// For messages: continues "Cannot".
    func action(_ verb: String, _ volume: String?) -> String {
        if let volume { "\(verb) volume \(volume) in pool \(definition.name)" } else { "\(verb) pool \(definition.name) in \(targetPath)" }
    }

    func path(of name: String) -> String { targetPath == "/" ? "/" + name : targetPath + "/" + name }
}
