// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser

/// When text is coloured.
enum ColorChoice: String, ExpressibleByArgument, CaseIterable { case auto, always, never }

/// The few colours that text for people has, or none of them.
struct Palette: Sendable {
    enum Color: String { case green = "32", yellow = "33", red = "31", bold = "1" }

    static let none = Palette(isOn: false)
    private let isOn: Bool

    private init(isOn: Bool) { self.isOn = isOn }

    init(_ choice: ColorChoice) {
        switch choice {
        case .always: isOn = true
        case .never: isOn = false
        case .auto:
            let refused = Terminal.environment("NO_COLOR")?.isEmpty == false || Terminal.environment("TERM") == "dumb"
            isOn = Terminal.outputIsTerminal && !refused
        }
    }

    func paint(_ text: String, _ color: Color?) -> String {
        guard isOn, let color, !text.isEmpty else { return text }
        return "\u{1b}[\(color.rawValue)m\(text)\u{1b}[0m"
    }

    /// Green is well, yellow wants patience or attention, red is broken. Others have no colour.
    static func color(ofState state: String) -> Color? {
        switch state {
        case "active", "ready", "completed", "defined": .green
        case "degraded", "waiting", "starting", "stopping", "allocating", "queued", "running", "cancelled", "exists": .yellow
        case "error", "unavailable", "failed", "refused": .red
        default: nil
        }
    }
}
