// SPDX-License-Identifier: LGPL-2.1-or-later

/// A manual page in mdoc, as far as the tests look at it: its tagged paragraphs, and the words that it marks.
struct ManualPage: Sendable {
    /// A tagged paragraph.
    struct Entry: Sendable {
        /// Of `.Sh` and `.Ss`.
        let section: String
        let subsection: String
        /// The first macro of the tag: `Ic` for methods and commands, `Va` for properties and settings, `Cm` and `Fl` for options,
        /// `Er` for errors, `Sy` for what else has a name.
        let macro: String
        /// The words of the first macro: `GetPool`, `pool define`, `-q`.
        let name: String
        /// The tag as it is read, such as `GetPool(s name) -> o pool`.
        let tag: String
        /// The lines up to the next entry of whatever depth.
        var body: [String] = []
        /// The entries of lists inside this one.
        var inner: [Entry] = []
    }

    private(set) var entries: [Entry] = []
    /// What is marked with a macro of one argument anywhere but in a tag: macro to words.
    private(set) var marked: [String: Set<String>] = [:]

    /// Reads a page of this repository, such as `man/cisternd.8`.
    init(_ file: String) {
        var section = ""
        var subsection = ""
        // For each list that is open, its latest entry.
        var open: [Entry?] = []
        func finishEntry() {
            guard let entry = open.last ?? nil else { return }
            open[open.count - 1] = nil
            if let outer = open.lastIndex(where: { $0 != nil }) { open[outer]?.inner.append(entry) } else { entries.append(entry) }
        }
        for line in readFile(Self.root + "/" + file).split(separator: "\n").map(String.init) {
            let words = Self.words(line)
            switch words.first {
            case ".Sh": (section, subsection) = (words.dropFirst().joined(separator: " "), "")
            case ".Ss": subsection = words.dropFirst().joined(separator: " ")
            case ".Bl": open.append(nil)
            case ".El" where !open.isEmpty:
                finishEntry()
                open.removeLast()
            case ".It" where words.count > 1 && !open.isEmpty:
                finishEntry()
                open[open.count - 1] = Entry(
                    section: section, subsection: subsection, macro: words[1], name: Self.name(words.dropFirst(2)),
                    tag: Self.tag(words.dropFirst()))
            default:
                if let innermost = open.lastIndex(where: { $0 != nil }) { open[innermost]?.body.append(line) }
                if let macro = words.first, macro.count == 3, words.count > 1 {
                    marked[String(macro.dropFirst()), default: []].insert(words[1])
                }
            }
        }
    }

    /// All entries that carry that macro, those inside others included.
    func entries(_ macro: String) -> [Entry] {
        func all(_ entries: [Entry]) -> [Entry] { entries.flatMap { [$0] + all($0.inner) } }
        return all(entries).filter { $0.macro == macro }
    }

    /// The entries of a section that are in no other's list.
    func entries(of section: String) -> [Entry] { entries.filter { $0.section == section } }

    static let root = String(#filePath.prefix(upTo: "/Tests/ServiceTests"))

    // MARK: - Reading mdoc

    private static let callable: Set<String> = ["Ic", "Ar", "No", "Va", "Cm", "Er", "Sy", "Li", "Em", "Pa", "Ev", "Fl"]

    private static let enclosing: Set<String> = ["Po", "Pc", "Pq", "Oo", "Oc", "Op"]

    /// The words of a line; quotes keep some together, escapes are resolved.
    private static func words(_ line: String) -> [String] {
        var words: [String] = []
        for (index, part) in line.components(separatedBy: "\"").enumerated() {
            if index % 2 == 1 { words.append(plain(part)) } else { words += part.split(separator: " ").map { plain(String($0)) } }
        }
        return words
    }

    private static func plain(_ text: String) -> String {
        [("\\(->", "->"), ("\\(aq", "'"), ("\\-", "-"), ("\\&", ""), ("\\e", "\\")].reduce(text) { text, escape in
            text.components(separatedBy: escape.0).joined(separator: escape.1)
        }
    }

    /// The words up to the next macro.
    private static func name(_ words: some Collection<String>) -> String {
        words.prefix { !callable.contains($0) && !enclosing.contains($0) && $0 != "Ns" }.joined(separator: " ")
    }

    private static func tag(_ words: some Collection<String>) -> String {
        var text = ""
        var closing = ""
        var joins = true
        var isOption = false
        func add(_ word: String) {
            text += joins ? word : " " + word
            joins = false
        }
        for word in words {
            switch word {
            case "Ns": joins = true
            case "Po", "Pq", "Oo", "Op":
                add(word.hasPrefix("P") ? "(" : "[")
                if word.hasSuffix("q") || word.hasSuffix("p") { closing += word == "Pq" ? ")" : "]" }
                joins = true
            case "Pc", "Oc", ",":
                text += ["Pc": ")", "Oc": "]"][word] ?? word
                joins = false
            case "Fl": isOption = true
            case _ where callable.contains(word): isOption = false
            default:
                add(isOption ? "-" + word : word)
                isOption = false
            }
        }
        return text + closing
    }
}
