// SPDX-License-Identifier: LGPL-2.1-or-later
import Glibc

/// Files of /proc and /sys.
enum KernelText {
    /// The beginning of a small file; nil if it cannot be read.
    static func read(_ path: String) -> String? {
        guard let descriptor = try? open(path) else { return nil }
        defer { descriptor.close() }
        guard let bytes = try? piece(of: descriptor) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// All of a file that may be long.
    static func whole(_ path: String) throws(Errno) -> String {
        let descriptor = try open(path)
        defer { descriptor.close() }
        var text: [UInt8] = []
        while true {
            let piece = try piece(of: descriptor)
            if piece.isEmpty { return String(decoding: text, as: UTF8.self) }
            text += piece
        }
    }

    /// A field of /proc/PID/stat by its number in proc(5), 3 or more; nil if there is no such process.
    static func status(of pid: Int32, _ field: Int) -> String? {
        // The second field is the command's name, in brackets, and may hold anything.
        guard let text = read("/proc/\(pid)/stat"), let name = text.utf8.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = text[text.utf8.index(after: name)...].split(separator: " ")
        return fields.indices.contains(field - 3) ? String(fields[field - 3]) : nil
    }

    private static func open(_ path: String) throws(Errno) -> Descriptor {
        Descriptor(owning: try checked(Glibc.open(path, O_RDONLY | O_CLOEXEC)))
    }

    private static func piece(of descriptor: Descriptor) throws(Errno) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = try checked(Glibc.read(descriptor.raw, &buffer, buffer.count))
        return Array(buffer.prefix(count))
    }
}
