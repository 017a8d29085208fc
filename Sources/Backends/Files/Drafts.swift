// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop
import Glibc

/// Names of files that are being made, on file systems where a file must have one. Shared by all pools. Any thread.
///
/// A name tells whose it is, so that after a crash nothing is removed but what is ours and nobody works on: `.cistern-OWNER-NUMBER`.
public final class Drafts: Sendable {
    private let prefix: String
    private let live = Locked<Set<String>>([])
    private let nameless = Locked<Set<String>>([])

    /// - Parameter owner: tells this installation from all others that may see the same directory; letters and digits.
    public init(owner: String) { prefix = "\(reservedPrefix)\(owner)-" }

    /// A new name, live until ``end(_:)``.
    func begin() -> String {
        let name = prefix + hex(UInt64.random(in: 0x1000_0000_0000_0000 ... .max))
        live.withLock { _ = $0.insert(name) }
        return name
    }

    /// The file has another name now, or is gone.
    func end(_ name: String) { live.withLock { _ = $0.remove(name) } }

    // MARK: - Without a name

    /// Notes a file that is made without a name: inotify calls it by its inode, `#1234`, in the directory that it was made for.
    func noteNameless(_ status: FileStatus) {
        nameless.withLock { nameless in
            if nameless.count > 256 { nameless = [] }
            nameless.insert("#\(status.identity.inode)")
        }
    }

    /// Whether what inotify calls so is a file without a name. It may be told of after it has got one, hence nothing is forgotten soon.
    func isNameless(_ name: String) -> Bool { name.utf8.first == UInt8(ascii: "#") && nameless.withLock { $0.contains(name) } }

    /// Somebody has given that very name to a file.
    func forgetNameless(_ name: String) {
        if name.utf8.first == UInt8(ascii: "#") { nameless.withLock { _ = $0.remove(name) } }
    }

    // MARK: - After a crash

    /// Removes what a crash left in a directory, of these entries. What cannot be removed stays for the next time.
    func sweep(_ entries: [DirectoryEntry], of directory: Directory) {
        for entry in entries where entry.isText && entry.name.hasPrefix(prefix) {
            if live.withLock({ $0.contains(entry.name) }) { continue }
            // A file, or the note of a rename.
            try? directory.finishRename(entry.name)
        }
    }
}
