// SPDX-License-Identifier: LGPL-2.1-or-later

/// One rule about words in the code of a file.
struct WordRule: Sendable {
    let words: [String]
    let reason: String
    /// Folders where the rule does not hold.
    var except: [String] = []
    /// Whether comments and strings count too.
    var everywhere = false

    func violations(_ file: TextFile) -> [String] {
        guard !except.contains(where: file.isBelow) else { return [] }
        let words = words.filter(file.mentions)
        guard !words.isEmpty else { return [] }
        let lines = everywhere ? file.lines.map(String.init) : codeLines(file.text)
        return zip(1..., lines).flatMap { number, line in
            words.filter { holds(line, word: $0) && !isDeclarationOrMember(line, $0) }
                .map { "\(file.path):\(number): \($0) \(reason)" }
        }
    }

    /// `func print(` and `writer.print(` are other functions than the banned ones.
    private func isDeclarationOrMember(_ line: String, _ word: String) -> Bool {
        word.hasSuffix("(") && (line.contains("func " + word) || line.contains("." + word))
    }
}

/// Where raw memory and promises the compiler cannot check are at home.
let unsafeFolders = ["Sources/Bus", "Sources/EventLoop", "Sources/Udev", "Sources/XML", "Sources/Backends/Files"]

/// The rules for every Swift file of `Sources`.
let wordRules: [WordRule] = [
    WordRule(words: ["try!"], reason: "ends the program on an error"),
    WordRule(words: ["fatalError"], reason: "ends the program; throw an error"),
    WordRule(words: ["print(", "debugPrint(", "dump("], reason: "writes to standard output past the log and the client's output"),
    WordRule(words: ["TODO", "FIXME", "XXX", "HACK"], reason: "belongs to an issue", everywhere: true),
    WordRule(
        words: [
            "UnsafePointer", "UnsafeMutablePointer", "UnsafeRawPointer", "UnsafeMutableRawPointer", "UnsafeBufferPointer",
            "UnsafeMutableBufferPointer", "UnsafeRawBufferPointer", "UnsafeMutableRawBufferPointer", "OpaquePointer", "Unmanaged",
            "unsafeBitCast", "withUnsafeBytes", "withUnsafePointer", "withUnsafeMutablePointer", "withUnsafeMutableBytes",
        ], reason: "is raw memory, for \(unsafeFolders.joined(separator: ", ")) alone", except: unsafeFolders),
    WordRule(
        words: ["@unchecked Sendable", "nonisolated(unsafe)"],
        reason: "is unchecked, for \(unsafeFolders.joined(separator: ", ")) alone", except: unsafeFolders),
]

/// Unchecked promises must say what keeps them, a thread, a lock, or that nothing changes: on the line, or in a comment above it that
/// no blank line parts from it. A subclass restates what its superclass, one of `bases`, has said.
func uncheckedWithoutOwner(_ file: TextFile, bases: Set<String> = []) -> [String] {
    guard file.mentions("@unchecked") || file.mentions("nonisolated(unsafe)") else { return [] }
    let lines = file.lines.map(String.init)
    let code = codeLines(file.text)
    return code.indices.compactMap { index in
        guard code[index].contains("@unchecked Sendable") || code[index].contains("nonisolated(unsafe)") else { return nil }
        if let names = classNames(code[index]), let base = names.base, bases.contains(base) { return nil }
        let words = (comments(above: index, lines) + [lines[index]]).joined(separator: " ").lowercased()
        let explained = ["thread", "lock", "loop", "constant", "immutable"].contains { words.contains($0) }
        return explained ? nil : "\(file.path):\(index + 1): no comment names the thread or lock that owns this"
    }
}

/// Classes that promise to be sendable without the compiler's help.
func uncheckedClasses(_ files: [TextFile]) -> Set<String> {
    Set(
        files.filter { $0.mentions("@unchecked") }.flatMap { codeLines($0.text) }.filter { $0.contains("@unchecked Sendable") }.compactMap {
            classNames($0)?.name
        })
}

/// The name of the class declared on a line, and what stands first after its colon.
private func classNames(_ line: String) -> (name: String, base: String?)? {
    guard let keyword = line.firstRange(of: "class ") else { return nil }
    let name = line[keyword.upperBound...].prefix { $0.isIdentifierPart }
    guard let colon = line[keyword.upperBound...].firstIndex(of: ":") else { return (String(name), nil) }
    let base = line[line.index(after: colon)...].drop { $0 == " " }.prefix { $0.isIdentifierPart }
    return (String(name), base.isEmpty ? nil : String(base))
}

/// The comment lines above a line, as far up as the next blank line.
private func comments(above index: Int, _ lines: [String]) -> [String] {
    lines[..<index].reversed().map { $0.drop { $0 == " " } }.prefix { !$0.isEmpty }.filter { $0.hasPrefix("//") }.map(String.init)
}

let license = "SPDX-License-Identifier: LGPL-2.1-or-later"

/// Whether a file must name its license.
func needsLicense(_ file: TextFile) -> Bool {
    let suffixes = [".swift", ".c", ".h", ".sh", ".conf", ".in"]
    return suffixes.contains { file.name.hasSuffix($0) } || file.name == "Makefile" || file.text.hasPrefix("#!")
}

/// A Swift file names its license on its first line; Package.swift and other kinds of files, which must begin otherwise, on their first three.
func lacksLicense(_ file: TextFile) -> Bool {
    let head = file.lines.prefix(file.isSwift && file.name != "Package.swift" ? 1 : 3)
    return needsLicense(file) && !head.contains { $0.contains(license) }
}

/// Nobody reads a longer file whole.
let longestFile = 400

func isTooLong(_ file: TextFile) -> Bool { file.lines.count > longestFile + 1 }

/// Paths and addresses of one particular machine.
func localTraces(_ file: TextFile) -> [String] {
    let traces = ["/work/", "/root/", "/home/", "/Users/", "/tmp/notes", "192.168."]
    guard traces.contains(where: file.mentions) else { return [] }
    return zip(1..., file.lines).flatMap { number, line in
        traces.filter { line.contains($0) }.map { "\(file.path):\(number): \($0) is a place on one machine" }
    }
}
