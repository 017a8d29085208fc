// SPDX-License-Identifier: LGPL-2.1-or-later

/// One field of a table.
struct Cell: ExpressibleByStringInterpolation {
    let text: String
    let color: Palette.Color?

    init(_ text: String, _ color: Palette.Color? = nil) {
        self.text = printable(text)
        self.color = color
    }

    init(stringLiteral text: String) { self.init(text) }

    /// `active`, in the colour that says how well that is.
    static func state(_ state: String) -> Cell { Cell(state, Palette.color(ofState: state)) }
}

/// Columns under headings, two spaces apart; numbers stand at the right.
struct Table {
    enum Alignment { case left, right }

    private let headings: [Cell]
    private let alignments: [Alignment]
    private var rows: [[Cell]] = []

    init(_ columns: (heading: String, alignment: Alignment)...) {
        headings = columns.map { Cell($0.heading, .bold) }
        alignments = columns.map(\.alignment)
    }

    /// Columns of text.
    init(_ headings: [String]) {
        self.headings = headings.map { Cell($0, .bold) }
        alignments = headings.map { _ in .left }
    }

    mutating func add(_ cells: Cell...) { rows.append(cells) }
    mutating func add(_ cells: [Cell]) { rows.append(cells) }

    func lines(_ palette: Palette) -> [String] {
        let all = [headings] + rows
        let widths = headings.indices.map { column in all.map { $0[column].text.displayWidth }.max() ?? 0 }
        return all.map { row in
            // Spaces at the end of a line say nothing.
            let last = row.lastIndex { !$0.text.isEmpty } ?? 0
            return row[...last].indices.map { column in
                let (cell, atRight) = (row[column], alignments[column] == .right)
                let padded = column == last && !atRight ? cell.text : cell.text.padded(to: widths[column], atRight: atRight)
                return palette.paint(padded, cell.color)
            }.joined(separator: "  ")
        }
    }
}

/// Names and values one below the other, the values in one column; what has no value is left out.
func sheet(_ rows: [(name: String, value: Cell)], _ palette: Palette) -> [String] {
    let width = (rows.map(\.name.displayWidth).max() ?? 0) + 2
    return rows.filter { !$0.value.text.isEmpty }.map { row in
        (printable(row.name) + ":").padded(to: width) + palette.paint(row.value.text, row.value.color)
    }
}

/// Text of others on a terminal: control characters, which could move the cursor, are shown as `?`.
func printable(_ text: String) -> String {
    func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory != .control && !(0x202a...0x202e ~= scalar.value) && !(0x2066...0x2069 ~= scalar.value)
    }
    guard !text.unicodeScalars.allSatisfy(isHarmless) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { isHarmless($0) ? $0 : "?" }))
}
