// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
public import EventLoop
import Glibc

/// Definitions as files that administrators can read: `pools/NAME.xml`, and links to them in `autostart`.
///
/// What lasts until the next boot is in the runtime directory: a stamp of the boot, and a file in `active` for each pool that is
/// to be active. One process at a time may have a configuration directory open.
public final class DefinitionDirectory: DefinitionStore {
    private let blocking: Blocking
    private let pools: StateFolder
    private let autostart: StateFolder
    private let runtime: StateFolder
    private let active: StateFolder
    /// Holds the lock.
    private let root: StateFolder

    /// Opens the directories, and makes what is missing (mode 0700).
    ///
    /// - Parameters:
    ///   - configuration: as `/etc/cistern`.
    ///   - runtime: as `/run/cistern`.
    ///   - lane: runs whatever blocks.
    /// - Throws: `busy` if another process has it open.
    public static func open(configuration: String, runtime: String, lane: Lane) async throws(StorageError) -> DefinitionDirectory {
        let blocking = Blocking(state: "directory \(configuration)", lane)
        return try await blocking.keep("use the directories \(configuration) and \(runtime)") {
            let root = try StateFolder(configuration)
            try root.lockAlone()
            return try DefinitionDirectory(root, runtime: StateFolder(runtime), blocking)
        }
    }

    private init(_ root: StateFolder, runtime: StateFolder, _ blocking: Blocking) throws(Errno) {
        self.blocking = blocking
        self.root = root
        self.runtime = runtime
        pools = try root.folder("pools")
        autostart = try root.folder("autostart")
        active = try runtime.folder("active")
    }

    /// Lets another process have the directory. To be called when nothing else will be.
    public func close() { root.close() }

    public func load() async throws(StorageError) -> StoredDefinitions {
        try await blocking.keep("read the definitions in \(self.root.path)") { [self] in
            for folder in [pools, autostart, runtime, active] { try folder.removeLeftovers() }
            var stored = StoredDefinitions()
            for file in try pools.names() where file.hasSuffix(DefinitionName.suffix) { read(file, into: &stored) }
            try keepLinks(&stored)
            try keepActive(&stored)
            return stored
        }
    }

    public func save(_ name: String, xml: String) async throws(StorageError) {
        try await blocking.keep("keep the definition of pool \(name)") { [self] in
            try pools.replace(DefinitionName.file(name), Array(xml.utf8))
        }
    }

    public func remove(_ name: String) async throws(StorageError) {
        try await blocking.keep("forget the definition of pool \(name)") { [self] in
            let file = DefinitionName.file(name)
            // In this order a crash never leaves a link to what is not there, nor starts what was to go.
            try active.remove(file)
            try autostart.remove(file)
            try autostart.sync()
            try pools.remove(file)
            try pools.sync()
        }
    }

    public func setAutostart(_ name: String, _ autostart: Bool) async throws(StorageError) {
        try await blocking.keep("set the autostart of pool \(name)") { [self] in
            let file = DefinitionName.file(name)
            if autostart { return try self.autostart.link(file, to: "../pools/\(file)") }
            try self.autostart.remove(file)
            try self.autostart.sync()
        }
    }

    public func setActive(_ name: String, _ active: Bool) async throws(StorageError) {
        try await blocking.keep("keep whether pool \(name) is active") { [self] in
            let file = DefinitionName.file(name)
            if !active { return try self.active.remove(file) }
            do throws(Errno) { try self.active.make(file, []) } catch {
                if error.code != EEXIST { throw error }
            }
        }
    }

    public func claimBoot() async throws(StorageError) -> Bool {
        try await blocking.keep("mark this boot in \(self.runtime.path)") { [self] in
            let stamp = bootStamp()
            do throws(Errno) { try runtime.make(stamp, []) } catch {
                if error.code == EEXIST { return false }
                throw error
            }
            for name in try runtime.names() where name.hasPrefix(Self.stampPrefix) && name != stamp { try runtime.remove(name) }
            return true
        }
    }

    // MARK: Loading

    private func read(_ file: String, into stored: inout StoredDefinitions) {
        do throws(StorageError) {
            let xml = try text(file)
            let name = try PoolDefinition.parse(xml: xml).definition.name
            guard DefinitionName.file(name) == file else {
                throw StorageError(.invalidXML, "it defines pool \(name), whose file is \(DefinitionName.file(name))")
            }
            stored.xml[name] = xml
        } catch {
            stored.unreadable.append(SkippedEntry(entry: file, reason: error.message))
        }
    }

    private func text(_ file: String) throws(StorageError) -> String {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try pools.read(file) } catch {
            switch error.code {
            case EINVAL: throw StorageError(.invalidXML, "it is no regular file")
            case EFBIG: throw StorageError(.invalidXML, "it is larger than 1 MiB")
            default: throw StorageError(.failed, error.text)
            }
        }
        guard let xml = String(validating: bytes, as: UTF8.self) else { throw StorageError(.invalidXML, "it is not UTF-8") }
        return xml
    }

    /// Finds the autostart links; removes those whose pool was removed.
    private func keepLinks(_ stored: inout StoredDefinitions) throws(Errno) {
        let links = Set(try autostart.names())
        stored.autostart = Set(stored.xml.keys.filter { links.contains(DefinitionName.file($0)) })
        for link in links where link.hasSuffix(DefinitionName.suffix) && !pools.holds(link) { try autostart.remove(link) }
    }

    /// Finds the pools that were active; those of another boot are no longer.
    private func keepActive(_ stored: inout StoredDefinitions) throws(Errno) {
        let files = Set(try active.names())
        if runtime.holds(bootStamp()) {
            stored.active = Set(stored.xml.keys.filter { files.contains(DefinitionName.file($0)) })
        } else {
            for file in files { try active.remove(file) }
        }
    }

    private static let stampPrefix = "boot-"

    /// A name that no two boots share.
    private func bootStamp() -> String {
        let id = (try? StateFolder("/proc/sys/kernel/random").read("boot_id")) ?? []
        return Self.stampPrefix + String(decoding: id.filter { $0 > UInt8(ascii: " ") && $0 != UInt8(ascii: "/") }, as: UTF8.self)
    }
}

extension Blocking {
    /// For the daemon's own files, which may be on a busy disk.
    init(state place: String, _ lane: Lane) { self.init(lane: lane, place: place, patience: .seconds(120)) }

    /// Runs a body to its end though the caller's task is cancelled: what is on disk must follow what is done.
    func keep<T: Sendable>(
        _ action: @autoclosure @escaping @Sendable () -> String, _ body: @escaping @Sendable () throws -> T
    ) async throws(StorageError) -> T {
        let task = Task { () async -> Result<T, StorageError> in
            do throws(StorageError) { return .success(try await run(action(), body)) } catch { return .failure(error) }
        }
        return try await task.value.get()
    }
}

extension StateFolder {
    /// Keeps other daemons out.
    ///
    /// - Throws: `busy`, or why it cannot be done.
    func lockAlone() throws {
        guard try lock() else {
            throw StorageError(
                .busy, "The directory \(path) is used by another cisternd; stop that one first, or choose another directory.")
        }
    }
}
