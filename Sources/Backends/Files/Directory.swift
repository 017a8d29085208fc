// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Glibc

/// An open directory. What is in it is reached by names relative to the descriptor, never through symbolic links.
final class Directory: Descriptor, @unchecked Sendable {
    /// Opens a directory by its absolute path. Symbolic links on the way are the administrator's business, and followed.
    static func open(_ path: String) throws(Errno) -> Directory {
        Directory(owning: try checked(linux_open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0)))
    }

    /// Makes a directory and those above it that are not there, or none of them.
    ///
    /// - Parameter mode: of the directory itself; those above it are everybody's to pass through.
    /// - Returns: the directories that were made, outermost first.
    @discardableResult
    static func make(_ path: String, mode: mode_t) throws(Errno) -> [String] {
        var made: [String] = []
        var place = ""
        for part in path.utf8.split(separator: UInt8(ascii: "/")) {
            place += "/" + String(decoding: Array(part), as: UTF8.self)
            if mkdir(place, place == path ? mode : 0o755) == 0 {
                made.append(place)
            } else if errno != EEXIST {
                let failure = Errno.last
                for place in made.reversed() { rmdir(place) }
                throw failure
            }
        }
        return made
    }

    /// What the entry is; a symbolic link is not followed.
    func status(of name: String) throws(Errno) -> FileStatus {
        try FileStatus(at: raw, name, Int32(AT_SYMLINK_NOFOLLOW))
    }

    /// A hold on the entry that reads and changes nothing: it can be asked what it is before anything is opened.
    func look(at name: String) throws(Errno) -> FileReference {
        FileReference(owning: try checked(linux_open_beneath(raw, name, linux_O_PATH | O_NOFOLLOW, 0)))
    }

    /// Opens a file to look into it. Ask first whether it is a regular one; what came in its place meanwhile makes nobody wait.
    func open(_ name: String) throws(Errno) -> File {
        File(owning: try checked(linux_open_beneath(raw, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0)))
    }

    /// A new file without a name. `EOPNOTSUPP` (or `EISDIR`, `EINVAL`) where the file system has none.
    func makeNameless(direct: Bool = false) throws(Errno) -> File {
        let flags = linux_O_TMPFILE | O_RDWR | (direct ? linux_O_DIRECT : 0)
        return File(owning: try checked(linux_open_beneath(raw, ".", flags, 0o600)))
    }

    /// A new file under a name; `EEXIST` if there is one.
    func make(_ name: String, direct: Bool = false) throws(Errno) -> File {
        let flags = O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | (direct ? linux_O_DIRECT : 0)
        return File(owning: try checked(linux_open_beneath(raw, name, flags, 0o600)))
    }

    /// Names a nameless file; `EEXIST` rather than replace.
    func link(_ file: File, as name: String) throws(Errno) { _ = try checked(linux_link_descriptor(file.raw, raw, name)) }

    /// Renames inside the directory; `EEXIST` rather than replace.
    ///
    /// - Parameter note: makes a note's name, for file systems where this takes two steps; see ``finishRename(_:)``.
    func rename(_ old: String, to new: String, note: () -> String) throws(Errno) {
        if linux_rename_new(raw, old, raw, new) == 0 { return }
        guard errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP else { throw Errno.last }
        // A file system without RENAME_NOREPLACE: a link never replaces either. A crash in between leaves two names, and the note.
        let note = note()
        let isNoted = symlinkat("\(old)/\(new)", raw, note) == 0
        defer { if isNoted { unlinkat(raw, note, 0) } }
        _ = try checked(linkat(raw, old, raw, new, 0))
        _ = try checked(unlinkat(raw, old, 0))
    }

    /// Finishes what a note of ``rename(_:to:note:)`` tells of, if it was begun, and removes the note.
    func finishRename(_ note: String) throws(Errno) {
        let target = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { buffer -> String? in
            let count = linux_read_link(raw, note, buffer.baseAddress, buffer.count)
            return count < 0 ? nil : String(validating: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        let names = (target ?? "").split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        if names.count == 2, let old = try? status(of: names[0]), let new = try? status(of: names[1]), old.identity == new.identity {
            _ = try checked(unlinkat(raw, names[0], 0))
        }
        try remove(note)
    }

    /// Removes a name that is no directory.
    func remove(_ name: String) throws(Errno) { _ = try checked(unlinkat(raw, name, 0)) }
}

/// A file held by an O_PATH descriptor: it stays this file whatever happens to its name.
final class FileReference: Descriptor, @unchecked Sendable {
    /// Opens the same file with rights. Ask ``Descriptor/status(synchronized:)`` first: anything but a regular file may block or react.
    func open(_ flags: Int32) throws(Errno) -> File {
        File(owning: try checked(linux_reopen(raw, flags | O_NONBLOCK | O_NOCTTY)))
    }

    func setOwner(_ owner: UInt32?, group: UInt32?) throws(Errno) {
        let keep = UInt32.max
        _ = try checked(fchownat(raw, "", owner ?? keep, group ?? keep, linux_AT_EMPTY_PATH))
    }

    func setMode(_ mode: UInt32) throws(Errno) {
        // fchmod refuses O_PATH descriptors.
        _ = try checked(chmod("/proc/self/fd/\(raw)", mode))
    }
}
