// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Cistern
public import EventLoop
import Glibc

/// One inotify instance for all directories, read on the event loop. Made once; opens its descriptor with the first watch.
@LoopActor
public final class Inotify {
    /// What is to be seen: names that come, go or change hands, files that are closed after writing; no single write.
    private static let mask =
        UInt32(IN_CREATE | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO)
        | UInt32(IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT) | UInt32(IN_ONLYDIR)

    typealias Handler = @LoopActor (Happening) -> Void

    /// What was seen in a directory.
    enum Happening: Sendable {
        /// A name is new.
        case entry(String)
        /// What has a name may have changed.
        case touched(String)
        case gone(String)
        case renamed(String, String)
        case everything
        case lost(String)
    }

    private var descriptor: Int32 = -1
    private var source: Source?
    private var handlers: [Int32: [UInt64: Handler]] = [:]
    private var lastHandler: UInt64 = 0
    /// Adds that are under way on some lane: until they are back, no watch is removed, for it may be the one that they get.
    private var adding = 0
    private var abandoned: Set<Int32> = []
    /// Names that moved away, until the event with their new name is read.
    private var departures: [(cookie: UInt32, watch: Int32, name: String)] = []

    public nonisolated init() {}

    /// A watch in force, until ``Inotify/remove(_:)``.
    struct Watch: Sendable {
        fileprivate let number: Int32
        fileprivate let handler: UInt64
    }

    /// Watches a directory.
    ///
    /// - Parameter blocking: where the system call runs, which waits for a hung file system.
    func add(_ directory: Directory, on blocking: Blocking, _ action: String, _ handler: @escaping Handler) async throws(StorageError)
        -> Watch
    {
        let descriptor = try open()
        adding += 1
        let mask = Self.mask
        let number: Int32
        do throws(StorageError) {
            number = try await blocking.run(action) { try Self.addWatch(descriptor, directory, mask) }
        } catch {
            adding -= 1
            removeAbandoned()
            throw error
        }
        adding -= 1
        lastHandler += 1
        handlers[number, default: [:]][lastHandler] = handler
        abandoned.remove(number)
        removeAbandoned()
        return Watch(number: number, handler: lastHandler)
    }

    private nonisolated static func addWatch(_ descriptor: Int32, _ directory: Directory, _ mask: UInt32) throws -> Int32 {
        do throws(Errno) { return try checked(linux_inotify_add(descriptor, directory.raw, mask)) } catch {
            guard error.code == ENOSPC else { throw error }
            throw StorageError(
                .limitsExceeded, "The machine has no inotify watches left; raise the sysctl fs.inotify.max_user_watches.")
        }
    }

    /// Ends a watch. Ending it twice does no harm.
    func remove(_ watch: Watch) {
        guard handlers[watch.number]?.removeValue(forKey: watch.handler) != nil, handlers[watch.number]?.isEmpty == true else { return }
        handlers[watch.number] = nil
        abandoned.insert(watch.number)
        removeAbandoned()
    }

    private func removeAbandoned() {
        guard adding == 0 else { return }
        for number in abandoned { inotify_rm_watch(descriptor, number) }
        abandoned = []
    }

    private func open() throws(StorageError) -> Int32 {
        if descriptor >= 0 { return descriptor }
        let opened = linux_inotify()
        guard opened >= 0 else {
            throw StorageError(
                .limitsExceeded,
                "The machine has no inotify instances left (\(Errno.last.text)); raise the sysctl fs.inotify.max_user_instances.")
        }
        do throws(LoopError) {
            source = try Loop.shared.watch(opened) { [weak self] _ in self?.readEvents() }
        } catch {
            close(opened)
            throw StorageError(.failed, "Directories cannot be watched: \(error).")
        }
        descriptor = opened
        return opened
    }

    // MARK: - Events

    /// Reads what one turn of the loop has time for; the loop comes back for the rest.
    private func readEvents() {
        withUnsafeTemporaryAllocation(byteCount: 64 * 1024, alignment: 8) { buffer in
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            guard count > 0 else { return flushDepartures() }
            var offset = 0
            while offset + 16 <= count {
                let watch = buffer.loadUnaligned(fromByteOffset: offset, as: Int32.self)
                let mask = buffer.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
                let cookie = buffer.loadUnaligned(fromByteOffset: offset + 8, as: UInt32.self)
                let length = Int(buffer.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self))
                guard offset + 16 + length <= count else { break }
                let name = UnsafeRawBufferPointer(rebasing: buffer[(offset + 16)..<(offset + 16 + length)]).prefix { $0 != 0 }
                handle(watch, mask, cookie, name)
                offset += 16 + length
            }
            // A pair that the end of the buffer tore apart becomes two changes, which says the same in more words.
            flushDepartures()
        }
    }

    private func handle(_ watch: Int32, _ mask: UInt32, _ cookie: UInt32, _ bytes: Swift.Slice<UnsafeRawBufferPointer>) {
        if mask & UInt32(IN_Q_OVERFLOW) != 0 {
            departures = []
            for number in Array(handlers.keys) { tell(number, .everything) }
            return
        }
        guard handlers[watch] != nil else { return }
        if let reason = Self.loss(mask) {
            tell(watch, .lost(reason))
            if mask & UInt32(IN_IGNORED) != 0 { handlers[watch] = nil }
            return
        }
        guard !bytes.isEmpty else { return }
        guard let name = String(validating: bytes, as: UTF8.self) else { return tell(watch, .everything) }
        if mask & UInt32(IN_MOVED_FROM) != 0 {
            departures.append((cookie, watch, name))
        } else if mask & UInt32(IN_MOVED_TO) != 0 {
            arrive(watch, cookie, name)
        } else {
            tell(watch, mask & UInt32(IN_DELETE) != 0 ? .gone(name) : mask & UInt32(IN_CREATE) != 0 ? .entry(name) : .touched(name))
        }
    }

    private static func loss(_ mask: UInt32) -> String? {
        if mask & UInt32(IN_DELETE_SELF) != 0 { return "was removed" }
        if mask & UInt32(IN_MOVE_SELF) != 0 { return "was moved away" }
        if mask & UInt32(IN_UNMOUNT) != 0 { return "was unmounted" }
        return mask & UInt32(IN_IGNORED) != 0 ? "can no longer be watched" : nil
    }

    private func arrive(_ watch: Int32, _ cookie: UInt32, _ name: String) {
        guard let index = departures.firstIndex(where: { $0.cookie == cookie && $0.watch == watch }) else {
            return tell(watch, .entry(name))
        }
        let old = departures.remove(at: index).name
        tell(watch, .renamed(old, name))
    }

    private func flushDepartures() {
        let gone = departures
        departures = []
        for departure in gone { tell(departure.watch, .gone(departure.name)) }
    }

    private func tell(_ watch: Int32, _ happening: Happening) {
        guard let handlers = handlers[watch] else { return }
        for handler in handlers.values { handler(happening) }
    }
}
