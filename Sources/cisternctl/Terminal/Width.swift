// SPDX-License-Identifier: LGPL-2.1-or-later

extension String {
    /// Columns that the text takes on a terminal.
    var displayWidth: Int { utf8.allSatisfy { $0 < 0x80 } ? utf8.count : reduce(0) { $0 + $1.displayWidth } }

    /// The beginning of the text that fits into so many columns.
    func prefix(columns: Int) -> String {
        var width = 0
        return String(
            prefix { character in
                width += character.displayWidth
                return width <= columns
            })
    }

    /// The text and as many spaces as it needs to take `width` columns, on its left or right.
    func padded(to width: Int, atRight: Bool = false) -> String {
        let space = String(repeating: " ", count: max(0, width - displayWidth))
        return atRight ? space + self : self + space
    }
}

extension Character {
    /// 0 for a mark without a letter, 2 for ideographs and emoji. What is combined with a letter takes no room of its own.
    var displayWidth: Int {
        let asEmoji = Unicode.Scalar(0xFE0F as UInt16)
        if unicodeScalars.contains(where: { $0 == asEmoji }) { return 2 }
        return unicodeScalars.lazy.map(\.displayWidth).first { $0 > 0 } ?? 0
    }
}

extension Unicode.Scalar {
    /// The ranges that Unicode's EastAsianWidth calls wide or full-width; emoji have a property of their own.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19,
        0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18CFF, 0x1AFF0...0x1B2FF, 0x1F200...0x1F265, 0x20000...0x3FFFD,
    ]

    fileprivate var displayWidth: Int {
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: 0
        default: properties.isEmojiPresentation || Self.wide.contains { $0.contains(value) } ? 2 : 1
        }
    }
}
