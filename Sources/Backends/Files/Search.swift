// SPDX-License-Identifier: LGPL-2.1-or-later

// The standard library has these in its module for regular expressions, which would add a megabyte to a service that has no use
// for them.

extension Collection where Element: Equatable {
    /// Where these elements come first, one after the other.
    func place(of wanted: some Collection<Element>) -> Range<Index>? {
        var start = startIndex
        while true {
            if self[start...].starts(with: wanted) { return start..<index(start, offsetBy: wanted.count) }
            guard start != endIndex else { return nil }
            formIndex(after: &start)
        }
    }
}

extension StringProtocol {
    /// Whether the words are in the text.
    func says(_ words: String) -> Bool { utf8.place(of: words.utf8) != nil }
}
