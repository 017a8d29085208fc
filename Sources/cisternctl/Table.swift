// SPDX-License-Identifier: LGPL-2.1-or-later

/// Columns under headings, two spaces apart; numbers stand at the right.
struct Table {
    enum Alignment { case left, right }

    private let headings: [String]
    private let alignments: [Alignment]
    private var rows: [[String]] = []

    init(_ columns: (heading: String, alignment: Alignment)...) {
        headings = columns.map(\.heading)
        alignments = columns.map(\.alignment)
    }

    mutating func add(_ cells: String...) { rows.append(cells.map(printable)) }

    var lines: [String] {
        let all = [headings] + rows
        let widths = headings.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            var line = row.indices.map { pad(row[$0], to: widths[$0], alignments[$0]) }.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    private func pad(_ cell: String, to width: Int, _ alignment: Alignment) -> String {
        let space = String(repeating: " ", count: width - cell.count)
        return alignment == .left ? cell + space : space + cell
    }
}

/// Names and values one below the other, the values in one column.
func sheet(_ rows: [(name: String, value: String)]) -> [String] {
    let width = (rows.map(\.name.count).max() ?? 0) + 2
    return rows.map { row in
        let name = row.name + ":"
        return name + String(repeating: " ", count: max(1, width - name.count)) + printable(row.value)
    }
}

/// Text of others on a terminal: control characters, which could move the cursor, are shown as `?`.
func printable(_ text: String) -> String {
    func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory != .control && !(0x202a...0x202e ~= scalar.value)
    }
    guard !text.unicodeScalars.allSatisfy(isHarmless) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { isHarmless($0) ? $0 : "?" }))
}
