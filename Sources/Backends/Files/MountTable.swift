// SPDX-License-Identifier: LGPL-2.1-or-later
import Glibc

/// What is mounted where, as proc_pid_mountinfo(5) has it.
struct MountTable: Sendable {
    struct Entry: Sendable, Hashable {
        /// Device number of the file system; of its own making where several devices are behind it (btrfs).
        let device: String
        /// What of the file system is mounted: `/` for all of it.
        let root: String
        let point: String
        let type: String
        /// Most often the path of a device.
        let source: String
    }

    /// In the order in which they were mounted: of several at one place, the last is seen.
    let entries: [Entry]

    /// The table of this process. Reading it waits for no file system.
    static func current() throws(Errno) -> MountTable { MountTable(try KernelText.whole("/proc/self/mountinfo")) }

    init(_ text: String) { entries = text.split(separator: "\n").compactMap(Self.entry) }

    /// What is seen at a place.
    func entry(at point: String) -> Entry? { entries.last { $0.point == point } }

    private static func entry(_ line: Substring) -> Entry? {
        let fields = line.split(separator: " ", omittingEmptySubsequences: false)
        // Any number of optional fields ends with a hyphen.
        guard let end = fields.firstIndex(of: "-"), end >= 6, fields.count > end + 2 else { return nil }
        return Entry(
            device: String(fields[2]), root: unescaped(fields[3]), point: unescaped(fields[4]), type: String(fields[end + 1]),
            source: unescaped(fields[end + 2]))
    }

    /// Blanks, newlines and backslashes are written as three octal digits.
    static func unescaped(_ field: Substring) -> String {
        guard field.utf8.contains(UInt8(ascii: "\\")) else { return String(field) }
        var bytes: [UInt8] = []
        var rest = Array(field.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3, let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8) {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
