// SPDX-License-Identifier: LGPL-2.1-or-later
import Foundation

/// One text file of the repository.
struct TextFile: Sendable {
    /// Relative to the repository's root: `Sources/Bus/Connection.swift`.
    let path: String
    let text: String

    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    var name: String { String(path.split(separator: "/").last ?? "") }
    /// The path's components without the file's own name.
    var folders: [String] { path.split(separator: "/").dropLast().map(String.init) }
    var isSwift: Bool { name.hasSuffix(".swift") }

    /// Whether the text, comments and strings included, holds a word anywhere. Quick.
    func mentions(_ word: String) -> Bool { text.range(of: word, options: .literal) != nil }

    func isBelow(_ folder: String) -> Bool { path.hasPrefix(folder + "/") }
}

/// The repository these tests were built from.
enum Tree {
    /// Absolute, without a slash at the end.
    static let root: String = {
        let here = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        return here.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    }()

    /// Names directly below the root that git does not ignore.
    static func topLevel() throws -> [String] {
        let ignored = ignoredNames(try read(".gitignore"))
        return try FileManager.default.contentsOfDirectory(atPath: root)
            .filter { name in name != ".git" && !ignored.contains { matches(name, $0) } }
            .sorted()
    }

    /// Every text file below the given folders of the root, and the given files; sorted by path.
    static func files(_ starts: [String]) throws -> [TextFile] {
        var found: [TextFile] = []
        for start in starts {
            for path in try paths(below: start).sorted() {
                guard let data = FileManager.default.contents(atPath: root + "/" + path) else { continue }
                guard let text = String(data: data, encoding: .utf8) else { continue }
                found.append(TextFile(path: path, text: text))
            }
        }
        return found
    }

    static func swiftFiles(_ starts: [String]) throws -> [TextFile] { try files(starts).filter(\.isSwift) }

    static func read(_ path: String) throws -> String {
        try String(contentsOfFile: root + "/" + path, encoding: .utf8)
    }

    private static func paths(below start: String) throws -> [String] {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: root + "/" + start, isDirectory: &isDirectory) else { return [] }
        guard isDirectory.boolValue else { return [start] }
        return try FileManager.default.subpathsOfDirectory(atPath: root + "/" + start)
            .map { start + "/" + $0 }
            .filter { path in
                var isDirectory: ObjCBool = false
                return FileManager.default.fileExists(atPath: root + "/" + path, isDirectory: &isDirectory) && !isDirectory.boolValue
            }
    }
}

/// The patterns of a .gitignore, without slashes at their ends.
func ignoredNames(_ gitignore: String) -> [String] {
    gitignore.split(separator: "\n")
        .filter { !$0.hasPrefix("#") }
        .map { line in
            var name = line
            while name.hasPrefix("/") { name.removeFirst() }
            while name.hasSuffix("/") { name.removeLast() }
            return String(name)
        }
}

/// Whether a name matches a pattern with at most one `*`.
func matches(_ name: String, _ pattern: String) -> Bool {
    guard let star = pattern.firstIndex(of: "*") else { return name == pattern }
    let head = pattern[..<star]
    let tail = pattern[pattern.index(after: star)...]
    return name.hasPrefix(head) && name.hasSuffix(tail) && name.utf8.count >= head.utf8.count + tail.utf8.count
}
