// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus

/// Prints changes: `15:04:27  pool images  State inactive → active`, or JSON.
struct ChangePrinter {
    let options: GlobalOptions
    let sizes: SizeOptions

    private static let sizeKeys: Set = ["Capacity", "Allocation", "Available", "Provisioned", "Physical"]
    private static let timeKeys: Set = ["StateSince", "LastScan", "ModifyTime", "BirthTime"]
    /// What a bar shows together, and what a job does with it all the time.
    private static let progressKeys: Set = ["BytesDone", "BytesTotal", "Progress", "Rate", "ExpectedEndTime", "Phase"]

    func show(_ change: Change) {
        if options.json { return Terminal.line(json(change)) }
        let time = describeTime(microsecondsSinceEpoch(), format: "%H:%M:%S")
        let what = options.palette.paint(printable(name(change.object)), .bold)
        Terminal.line("\(time)  \(what)  \(text(change))")
    }

    private func name(_ object: ObjectPath) -> String { object == Client.root ? "cisternd" : describe(object) }

    private func json(_ change: Change) -> String {
        JSON.object([
            ("Time", "\(microsecondsSinceEpoch())"), ("Change", JSON.quoted(change.kind.rawValue)),
            ("Object", JSON.quoted(change.object.description)),
            ("Properties", JSON.object(JSON.members(of: change.properties))),
            ("Previous", JSON.object(JSON.members(of: change.previous))),
        ])
    }

    private func text(_ change: Change) -> String {
        switch change.kind {
        case .removed: return "is gone"
        case .started: return "has started"
        case .stopped: return "has stopped"
        case .added: return "is new" + (change.properties.text("State").isEmpty ? "" : ": \(summary(change.properties))")
        case .finished:
            let message = change.properties.text("ErrorMessage")
            return "has " + state(change.properties.text("State")) + (message.isEmpty ? "" : ": \(printable(message))")
        case .changed: return changed(change)
        }
    }

    private func summary(_ object: Properties) -> String {
        let words = [object.text("Operation"), object.text("Format"), object["Capacity"] == nil ? "" : value("Capacity", object)]
        return (words + [state(object.text("State"))]).filter { !$0.isEmpty && $0 != "-" }.joined(separator: ", ")
    }

    private func changed(_ change: Change) -> String {
        var words: [String] = []
        var keys = change.properties.keys.sorted()
        if change.properties["Progress"] != nil {
            words.append(Progress(change.all).plain(now: microsecondsSinceEpoch()))
            keys.removeAll { Self.progressKeys.contains($0) }
        }
        let arrow = Terminal.speaksUnicode ? " → " : " -> "
        for key in keys {
            let before = change.previous[key] == nil ? "" : value(key, change.previous) + arrow
            words.append("\(key) \(before)\(value(key, change.properties))")
        }
        return words.joined(separator: ", ")
    }

    private func value(_ key: String, _ properties: Properties) -> String {
        guard let value = properties[key] else { return "" }
        if Self.sizeKeys.contains(key) { return sizes.describe(properties.number(key)) }
        if Self.timeKeys.contains(key) { return describeTime(properties.count(key)) }
        if key == "State" { return state(properties.text(key)) }
        let text = printable(Settings.text("", value))
        return text.isEmpty ? "\"\"" : text
    }

    private func state(_ state: String) -> String { options.palette.paint(printable(state), Palette.color(ofState: state)) }
}
