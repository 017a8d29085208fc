// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import Glibc

/// A directory for the daemon's own small files. Whatever a method has written is on the medium when it returns.
///
/// Every method may block. Unfinished files carry ``reservedPrefix``, and none of them survives ``removeLeftovers()``.
struct StateFolder: Sendable {
    let path: String
    private let directory: Directory

    /// Opens a directory, made with mode 0700 if it is not there, with what leads to it.
    init(_ path: String) throws(Errno) {
        self.path = path
        do throws(Errno) { directory = try Directory.open(path) } catch {
            guard error.code == ENOENT else { throw error }
            try Self.make(path)
            directory = try Directory.open(path)
        }
    }

    /// A directory inside this one.
    func folder(_ name: String) throws(Errno) -> StateFolder { try StateFolder("\(path)/\(name)") }

    private static func make(_ path: String) throws(Errno) {
        let parent = path.split(separator: "/", omittingEmptySubsequences: true).dropLast().joined(separator: "/")
        let root = path.hasPrefix("/") ? "/" : ""
        if mkdir(path, 0o700) == 0 { return try sync(root + parent) }
        if errno == EEXIST { return }
        guard errno == ENOENT, !parent.isEmpty else { throw Errno.last }
        try make(root + parent)
        if mkdir(path, 0o700) != 0 && errno != EEXIST { throw Errno.last }
        try sync(root + parent)
    }

    private static func sync(_ path: String) throws(Errno) { try Directory.open(path.isEmpty ? "." : path).sync() }

    /// Keeps every other process out that asks for the same, until this one ends.
    ///
    /// One that is just ending, or a child of it that is yet to become another program, has half a second to do so.
    /// - Returns: false if another one has it.
    func lock() throws(Errno) -> Bool {
        for attempt in 0...25 {
            if attempt > 0 { usleep(20_000) }
            if flock(directory.raw, LOCK_EX | LOCK_NB) == 0 { return true }
            if errno != EWOULDBLOCK { throw Errno.last }
        }
        return false
    }

    /// Gives up the lock; nothing else works any more.
    func close() { directory.close() }

    /// The names that are valid text, sorted; without unfinished ones.
    func names() throws(Errno) -> [String] {
        try directory.entries().filter { $0.isText && !$0.name.hasPrefix(reservedPrefix) }.map(\.name).sorted()
    }

    /// Removes what interrupted writes left.
    func removeLeftovers() throws(Errno) {
        for entry in try directory.entries() where entry.isText && entry.name.hasPrefix(reservedPrefix) { try remove(entry.name) }
    }

    /// Whether there is an entry of that name, of whatever kind.
    func holds(_ name: String) -> Bool { faccessat(directory.raw, name, F_OK, Int32(AT_SYMLINK_NOFOLLOW)) == 0 }

    /// A regular file's bytes; `EFBIG` if they are more than `limit`, `EINVAL` if it is no regular file.
    func read(_ name: String, limit: Int = 1 << 20) throws(Errno) -> [UInt8] {
        let file = File(owning: try checked(openat(directory.raw, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)))
        var status = stat()
        _ = try checked(fstat(file.raw, &status))
        guard status.st_mode & S_IFMT == S_IFREG else { throw Errno(EINVAL) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16384)
        while bytes.count <= limit {
            let count = Glibc.read(file.raw, &piece, piece.count)
            if count < 0 && errno == EINTR { continue }
            if try checked(count) == 0 { return bytes }
            bytes += piece.prefix(count)
        }
        throw Errno(EFBIG)
    }

    /// Puts a file under a name, in the place of the one that was there; a crash leaves the one or the other.
    func replace(_ name: String, _ bytes: [UInt8]) throws(Errno) {
        let temporary = reservedPrefix + String(UInt64.random(in: .min ... .max), radix: 16)
        do throws(Errno) {
            try write(temporary, bytes, O_CREAT | O_EXCL)
            _ = try checked(renameat(directory.raw, temporary, directory.raw, name))
        } catch {
            unlinkat(directory.raw, temporary, 0)
            throw error
        }
        try directory.sync()
    }

    /// Makes a file; `EEXIST` if there is one. After a crash it may be there in part.
    func make(_ name: String, _ bytes: [UInt8]) throws(Errno) {
        try write(name, bytes, O_CREAT | O_EXCL)
        try directory.sync()
    }

    /// Adds to a file that is there. After a crash the addition may be there in part.
    func append(_ name: String, _ bytes: [UInt8]) throws(Errno) { try write(name, bytes, O_APPEND) }

    private func write(_ name: String, _ bytes: [UInt8], _ flags: Int32) throws(Errno) {
        let file = File(owning: try checked(openat(directory.raw, name, flags | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0o600)))
        var status = stat()
        _ = try checked(fstat(file.raw, &status))
        do throws(Errno) {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Glibc.write(file.raw, Array(rest), rest.count)
                if count < 0 && errno == EINTR { continue }
                rest = rest.dropFirst(try checked(count))
            }
            _ = try checked(fdatasync(file.raw))
        } catch {
            // Half an addition would spoil the next one.
            _ = ftruncate(file.raw, status.st_size)
            throw error
        }
    }

    /// Points a symbolic link to `target`, unless there is one already.
    func link(_ name: String, to target: String) throws(Errno) {
        if symlinkat(target, directory.raw, name) != 0 && errno != EEXIST { throw Errno.last }
        try directory.sync()
    }

    /// Removes a name; succeeds if it is not there.
    func remove(_ name: String) throws(Errno) {
        if unlinkat(directory.raw, name, 0) != 0 && errno != ENOENT { throw Errno.last }
    }

    func rename(_ name: String, to other: String) throws(Errno) {
        _ = try checked(renameat(directory.raw, name, directory.raw, other))
    }

    /// What was removed or linked so far stays so.
    func sync() throws(Errno) { try directory.sync() }
}
