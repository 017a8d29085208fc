// SPDX-License-Identifier: LGPL-2.1-or-later

/// Who may import whom. The longest matching folder of `Sources` counts; a folder that is not here may not exist.
enum ImportTable {
    static let rows: [String: Set<String>] = [
        "EventLoop": ["CLinux", "CSystemd", "Glibc", "Synchronization"],
        "Bus": ["CLinux", "CSystemd", "EventLoop", "Glibc", "Synchronization"],
        "XML": ["CXML2", "Glibc"],
        "Udev": ["CUdev", "EventLoop", "Glibc"],
        "Images": [],
        "Cistern": ["Glibc", "Synchronization", "XML"],
        "Backends": ["Cistern", "EventLoop", "Glibc", "Images", "Logging", "Synchronization", "Udev"],
        "Backends/Files": ["CLinux", "Cistern", "EventLoop", "Glibc", "Images", "Synchronization"],
        "Service": ["Bus", "Cistern", "EventLoop", "Glibc", "Logging"],
        "cisternd": ["Backends", "Bus", "Cistern", "EventLoop", "Glibc", "Logging", "Service"],
        "cisternctl": ["ArgumentParser", "Bus", "EventLoop", "Glibc"],
    ]

    /// System-library targets: a module map and headers, nothing to import from.
    static let systemLibraries: Set<String> = ["CLinux", "CSystemd", "CUdev", "CXML2"]

    /// The row that holds for a folder such as `Backends/Files`.
    static func row(for folder: [String]) -> Set<String>? {
        var folder = folder
        while !folder.isEmpty {
            if let row = rows[folder.joined(separator: "/")] { return row }
            folder.removeLast()
        }
        return nil
    }
}

/// The modules a Swift file imports.
func imports(_ text: String) -> [String] {
    let levels: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
    let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var"]
    return codeLines(text).compactMap { line in
        var words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })[...]
        while let first = words.first, first.hasPrefix("@") || levels.contains(first) { words.removeFirst() }
        guard words.first == "import" else { return nil }
        words.removeFirst()
        if let kind = words.first, kinds.contains(kind) { words.removeFirst() }
        return words.first.map { String($0.prefix { $0.isIdentifierPart }) }
    }
}

/// Imports that the table does not allow, as sentences.
func importViolations(_ file: TextFile) -> [String] {
    let folder = Array(file.folders.dropFirst())
    guard let allowed = ImportTable.row(for: folder) else {
        return ["\(file.path): no row of the import table covers \(folder.joined(separator: "/"))"]
    }
    return imports(file.text).filter { !allowed.contains($0) }.map { "\(file.path): must not import \($0)" }
}

/// Folders of `Sources` that neither the table nor the list of system libraries knows.
func unknownTargets(_ folders: Set<String>) -> [String] {
    folders.filter { ImportTable.rows[$0] == nil && !ImportTable.systemLibraries.contains($0) }.sorted()
}
