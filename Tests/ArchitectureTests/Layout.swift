// SPDX-License-Identifier: LGPL-2.1-or-later

/// What may lie directly below the root.
let topLevelNames: Set<String> = [
    "Package.swift", "Sources", "Tests", "dbus", "polkit", "systemd", "README.md", "Makefile", "LICENSE", "debian", "man", "Benchmarks",
]
let topLevelDotNames: Set<String> = [".ci", ".gitignore", ".gitattributes", ".swift-format", ".editorconfig"]

func strayTopLevel(_ names: [String]) -> [String] {
    names.filter { !topLevelNames.contains($0) && !topLevelDotNames.contains($0) }
}

/// Folders of `Sources/Backends` that are not a pool type but what several types share.
let sharedBackendFolders: Set<String> = ["Devices", "Files", "State"]

/// Every pool type has the same shape: a folder `Directory` with `DirectoryPool.swift`, all its files inside; beside the folders
/// lies the registry alone.
func misshapenBackends(_ paths: [String]) -> [String] {
    let prefix = "Sources/Backends/"
    let inside = paths.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".swift") }.map {
        $0.dropFirst(prefix.count).split(separator: "/").map(String.init)
    }
    var problems = inside.filter { $0.count == 1 && $0 != ["Backends.swift"] }.map {
        "\(prefix)\($0[0]): beside the folders lies Backends.swift alone"
    }
    let folders = Set(inside.filter { $0.count > 1 }.map { $0[0] }).subtracting(sharedBackendFolders)
    for folder in folders.sorted() where !inside.contains([folder, folder + "Pool.swift"]) {
        problems.append("\(prefix)\(folder): has no \(folder)Pool.swift")
    }
    return problems
}

/// Pool types know nothing of each other: a folder's files do not name the backend of another folder; Backends.swift names them all.
func crossReferences(_ files: [TextFile]) -> [String] {
    let backends = files.filter { $0.isBelow("Sources/Backends") }
    let types = Set(backends.compactMap { $0.folders.count > 2 ? $0.folders[2] : nil }).subtracting(sharedBackendFolders)
    return backends.flatMap { file -> [String] in
        guard file.folders.count > 2 else { return [] }
        let others = types.subtracting([file.folders[2]]).sorted().filter { file.mentions($0 + "Pool") }
        guard !others.isEmpty else { return [] }
        let code = codeLines(file.text)
        return others.filter { other in code.contains { holds($0, word: other + "Pool") } }
            .map { "\(file.path): names \($0)Pool; only Backends.swift knows every type" }
    }
}

/// What must never be committed and therefore is ignored.
func missingIgnores(_ gitignore: String) -> [String] {
    let patterns = ignoredNames(gitignore)
    return [".build", "Package.resolved"].filter { name in !patterns.contains { matches(name, $0) } }
}
