// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Glibc

/// One name in a directory.
struct DirectoryEntry: Sendable {
    /// Exact if `isText`; otherwise shown with \xNN for what is not.
    let name: String
    let inode: UInt64
    /// `DT_REG` ...; `DT_UNKNOWN` where the file system does not say.
    let kind: UInt8
    /// Whether the name is valid UTF-8 and thus can be used.
    let isText: Bool
}

extension Directory {
    /// All names but `.` and `..`, in the order of the file system.
    func entries() throws(Errno) -> [DirectoryEntry] {
        let size = 256 * 1024
        // This thread's alone, and gone when this returns.
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
        defer { buffer.deallocate() }
        _ = try checked(lseek(raw, 0, SEEK_SET))
        var entries: [DirectoryEntry] = []
        while true {
            let count = try checked(linux_getdents(raw, buffer, size))
            if count == 0 { return entries }
            var offset = 0
            while offset < count {
                let entry = linux_entry_at(buffer, offset)
                offset += Int(entry.length)
                if let name = entry.name {
                    Self.append(entry, UnsafeBufferPointer(start: name, count: Int(entry.name_length)), to: &entries)
                }
            }
        }
    }

    private static func append(_ entry: linux_entry, _ bytes: UnsafeBufferPointer<CChar>, to entries: inout [DirectoryEntry]) {
        let dot = CChar(bitPattern: UInt8(ascii: "."))
        if bytes.count <= 2, bytes.allSatisfy({ $0 == dot }) { return }
        let name = bytes.withMemoryRebound(to: UInt8.self) { bytes in
            String(validating: bytes, as: UTF8.self).map { ($0, true) } ?? (escaped(bytes), false)
        }
        entries.append(DirectoryEntry(name: name.0, inode: entry.inode, kind: UInt8(truncatingIfNeeded: entry.kind), isText: name.1))
    }
}

/// A name for people: printable ASCII as it is, everything else as \xNN.
func escaped(_ bytes: some Sequence<UInt8>) -> String {
    var text = ""
    for byte in bytes {
        if (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\\") {
            text.unicodeScalars.append(Unicode.Scalar(byte))
        } else {
            let digits = String(byte, radix: 16)
            text += digits.count == 1 ? "\\x0\(digits)" : "\\x\(digits)"
        }
    }
    return text
}
