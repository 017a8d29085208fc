// SPDX-License-Identifier: LGPL-2.1-or-later

/// Can lay down and remove the pool itself.
public protocol Buildable: Backend {
    /// Makes the pool's storage; succeeds if it is there already, unless making it again would cost what is in it.
    ///
    /// - Parameter overwrite: what is there may be lost.
    /// - Throws: `signatureFound` if something is there and `overwrite` is false.
    func build(overwrite: Bool, _ progress: Progress) async throws(StorageError)

    /// Removes the pool's storage. Refuses (`busy`) while it holds anything.
    func delete(_ progress: Progress) async throws(StorageError)
}

/// Can be stopped while others still use what it is made of.
public protocol LazilyStopping: Backend {
    /// Makes the pool's storage unreachable; see ``Backend/stop(_:)``.
    ///
    /// - Parameter lazy: those who use it may go on; it is let go of when the last of them has ended.
    func stop(lazy: Bool, _ progress: Progress) async throws(StorageError)
}

/// Can make and remove volumes.
public protocol VolumeCreating: Backend {
    /// Formats that ``create(_:_:)`` accepts.
    static var creatableFormats: [String] { get }

    /// Refuses at once what could never be made.
    ///
    /// - Throws: `invalidArguments`, `notSupported`.
    func check(_ request: VolumeRequest) throws(StorageError)

    /// Whether the request writes so much that it must be a job.
    func movesData(_ request: VolumeRequest) -> Bool

    /// Makes a volume: complete, synced and under its name, or not at all. Never replaces.
    ///
    /// Before the volume gets its name, calls ``Progress/journal(_:)`` with what ``Recovering/recover(_:)`` needs (jobs only).
    /// - Throws: `exists`, `noSpace` (checked first, cleaned up after), `cancelled`, `notSupported` (format).
    func create(_ request: VolumeRequest, _ progress: Progress) async throws(StorageError) -> Volume

    /// Removes the volume if it is still the one with this key.
    ///
    /// - Throws: `busy` if somebody holds it, `notFound` if the name now is another object.
    func delete(_ volume: Volume, _ progress: Progress) async throws(StorageError)
}

extension VolumeCreating {
    /// Any request of a format that can be created is fine.
    public func check(_ request: VolumeRequest) throws(StorageError) {}

    /// Whether removing the volume may take longer than a moment, so that it must be a job.
    public func movesData(deleting volume: Volume) -> Bool { volume.allocation > 1 << 30 }
}

/// Can change how large a volume is.
public protocol VolumeResizing: Backend {
    /// Makes the volume `capacity` bytes large.
    ///
    /// - Throws: `shrinkRefused` unless `allowShrink`; `busy`; `noSpace` (`allocate`: the new part is reserved).
    func resize(_ volume: Volume, to capacity: UInt64, allowShrink: Bool, allocate: Bool, _ progress: Progress)
        async throws(StorageError) -> Volume

    /// Refuses at once what could never be done; see the default.
    ///
    /// - Throws: `notSupported`.
    func check(resizing volume: Volume, to capacity: UInt64, allocate: Bool) throws(StorageError)

    /// See the default.
    func movesData(resizing volume: Volume, to capacity: UInt64, allocate: Bool) -> Bool
}

extension VolumeResizing {
    /// Every volume can have every size.
    public func check(resizing volume: Volume, to capacity: UInt64, allocate: Bool) throws(StorageError) {}

    /// Whether changing the size may take longer than a moment, or must be finished after a crash, so that it is a job.
    public func movesData(resizing volume: Volume, to capacity: UInt64, allocate: Bool) -> Bool { allocate }
}

/// Can give a volume another name.
public protocol VolumeRenaming: Backend {
    /// Renames, never replacing.
    ///
    /// - Throws: `exists`, `busy`, `notFound`.
    func rename(_ volume: Volume, to name: String) async throws(StorageError) -> Volume
}

/// Can change owner, group and mode of a volume.
public protocol VolumePermitting: Backend {
    /// Applies what is not nil.
    func setPermissions(_ volume: Volume, _ permissions: Permissions) async throws(StorageError) -> Volume
}

/// Can hand out a descriptor of a volume.
public protocol VolumeOpening: Backend {
    /// A new descriptor (close-on-exec) that the caller owns, with exactly the rights asked for.
    ///
    /// - Throws: `busy` if `write` and somebody else writes; `notFound` if the name now is another object.
    func open(_ volume: Volume, read: Bool, write: Bool) async throws(StorageError) -> Int32
}

/// Can tell what some entries are without scanning all.
public protocol EntryLooking: Backend {
    /// Looks at entries now, and tells of each what it is. One that cannot be looked at is left out.
    ///
    /// - Throws: what kept it from looking at any.
    func look(at names: Set<String>) async throws(StorageError) -> [String: Entry]
}

/// Can measure space without scanning.
public protocol SpaceMeasuring: Backend {
    /// Bytes now.
    func measure() async throws(StorageError) -> Space
}

/// Learns of changes made behind its back.
public protocol Watching: Backend {
    /// Begins to watch; ends with the stream's consumer, or when the pool stops. Call before the first scan, so nothing is missed.
    ///
    /// - Throws: `limitsExceeded` if the machine has no watches left: then the engine polls and says so.
    func watch() async throws(StorageError) -> (kind: WatchKind, changes: AsyncStream<Change>)
}

/// Knows when what it stands on may be there again.
public protocol Returning: Backend {
    /// Whether a pool that is away may be started unasked: not where an administrator took away by hand what it stands on.
    func mayReturn() async -> Bool

    /// Tells when it is worth looking, sooner than the engine would look by itself; ends with its consumer.
    func hints() async -> AsyncStream<Void>
}

/// Can finish or undo what a crash interrupted.
public protocol Recovering: Backend {
    /// - Parameter notes: what ``Progress/journal(_:)`` got, oldest first.
    /// - Returns: true if the work turned out complete, false if nothing is left of it.
    func recover(_ notes: [String]) async throws(StorageError) -> Bool
}

/// Knows operations that it could do but not on this machine, or not yet.
public protocol Limited: Backend {
    /// Reasons by operation.
    var limits: [Operation: String] { get }
}

extension Operation {
    /// Whether a backend type conforms to what the operation needs.
    private func isOffered(by backend: any Backend.Type) -> Bool {
        switch self {
        case .poolStart, .poolStop, .poolRefresh: true
        case .poolBuild, .poolDelete: backend is any Buildable.Type
        case .volumeCreate, .volumeDelete: backend is any VolumeCreating.Type
        case .volumeResize: backend is any VolumeResizing.Type
        case .volumeRename: backend is any VolumeRenaming.Type
        case .volumeSetPermissions: backend is any VolumePermitting.Type
        case .volumeOpen: backend is any VolumeOpening.Type
        case .poolFindSources, .volumeClone, .volumeWipe, .volumeRebase, .volumeUpload, .volumeDownload, .volumeSetMetadata: false
        }
    }

    /// Operation to "" or the reason why not: what the D-Bus property `Capabilities` shows.
    public static func capabilities(of type: any Backend.Type, limits: [Operation: String] = [:]) -> [Operation: String] {
        var answer: [Operation: String] = [:]
        for operation in allCases {
            answer[operation] =
                limits[operation] ?? (operation.isOffered(by: type) ? "" : "pools of this type cannot do this in this version")
        }
        return answer
    }
}
