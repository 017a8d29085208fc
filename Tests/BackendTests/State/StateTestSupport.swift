// SPDX-License-Identifier: LGPL-2.1-or-later
import EventLoop
import Glibc

/// A directory that is gone with the last reference to it.
final class StateScratch: Sendable {
    let path: String
    let lane = Workers().lane("state")

    init() {
        var template = Array("/tmp/state-test-XXXXXX".utf8CString)
        path = mkdtemp(&template) == nil ? "" : String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { remove(path) }

    private func remove(_ path: String) {
        for name in list(path) { remove("\(path)/\(name)") }
        if unlink(path) != 0 { rmdir(path) }
    }

    /// The names in a directory, sorted.
    func names(_ folder: String = "") -> [String] { list("\(path)/\(folder)").sorted() }

    private func list(_ path: String) -> [String] {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    func write(_ name: String, _ text: String) { write(name, Array(text.utf8)) }

    func write(_ name: String, _ bytes: [UInt8]) {
        let file = open("\(path)/\(name)", O_CREAT | O_TRUNC | O_WRONLY, 0o600)
        defer { close(file) }
        _ = Glibc.write(file, bytes, bytes.count)
    }

    func read(_ name: String) -> String {
        let file = open("\(path)/\(name)", O_RDONLY)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = max(0, Glibc.read(file, &bytes, bytes.count))
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    func mode(_ name: String) -> UInt32 {
        var status = stat()
        return lstat("\(path)/\(name)", &status) == 0 ? status.st_mode & 0o777 : 0
    }

    func target(_ name: String) -> String {
        var bytes = [CChar](repeating: 0, count: 4096)
        let count = max(0, readlink("\(path)/\(name)", &bytes, bytes.count))
        return String(decoding: bytes.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
