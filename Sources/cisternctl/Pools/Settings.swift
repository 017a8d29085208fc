// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus

/// A setting of a pool as it was typed: by `--set KEY=VALUE`, or by a flag of its own, which may be repeated.
struct Setting {
    let key: String
    let texts: [String]

    init(_ key: String, _ texts: [String]) {
        self.key = key
        self.texts = texts
    }

    /// `--set`: commas part the elements of a list.
    init(_ assignment: Assignment, isList: Bool) {
        key = assignment.key
        texts = isList ? assignment.value.split(separator: ",").map(String.init) : [assignment.value]
    }
}

/// Settings between how they are typed and how D-Bus carries them.
enum Settings {
    /// Members of dictionaries that are no strings. The service says of a dictionary only that it is one.
    private static let memberTypes = ["unique-id": "u", "managed": "b"]

    /// The settings as the service wants them; `types` tells the D-Bus type of each key.
    ///
    /// - Throws: usage errors that name the key, and what it wants.
    static func parse(_ assignments: [Assignment], _ flags: [Setting], types: [String: String]) throws -> Properties {
        let typed = assignments.map { Setting($0, isList: types[$0.key]?.hasPrefix("a") == true) }
        var settings: Properties = [:]
        var texts: [String: [String]] = [:]
        for setting in flags.filter({ !$0.texts.isEmpty }) + typed {
            if let type = types[setting.key] {
                // Lists grow, of all else the last word counts.
                texts[setting.key] = (type.hasPrefix("a") ? texts[setting.key] ?? [] : []) + setting.texts
                settings[setting.key] = try value(texts[setting.key] ?? [], type, setting.key)
            } else {
                try setMember(setting, &settings, types)
            }
        }
        return settings
    }

    /// `source.adapter.name=host5` is the member `name` of the dictionary `source.adapter`.
    private static func setMember(_ setting: Setting, _ settings: inout Properties, _ types: [String: String]) throws {
        let parents = types.filter { $0.value == "a{sv}" && setting.key.hasPrefix($0.key + ".") }.keys
        guard let parent = parents.max(by: { $0.count < $1.count }) else {
            let near = nearest(to: setting.key, of: Array(types.keys))
            let hint = near.isEmpty ? "there are \(types.keys.sorted().joined(separator: ", "))." : "did you mean \(near[0])?"
            throw Failure(.usage, "There is no setting \(setting.key) for this type of pool; \(hint)")
        }
        let member = String(setting.key.dropFirst(parent.count + 1))
        var members = settings[parent]?.dictionary ?? [:]
        members[member] = try value(setting.texts, memberTypes[member] ?? "s", setting.key)
        settings[parent] = .dictionary(members)
    }

    private static func value(_ texts: [String], _ type: String, _ key: String) throws -> Variant {
        guard let value = value(texts, type) else {
            throw Failure(.usage, "\(texts.joined(separator: ",")) is no value for \(key): it wants \(explain(type)).")
        }
        return value
    }

    private static func value(_ texts: [String], _ type: String) -> Variant? {
        let text = texts.last ?? ""
        switch type {
        case "s": return .string(text)
        case "b": return ["true": true, "yes": true, "on": true, "false": false, "no": false, "off": false][text].map { .bool($0) }
        case "u": return number(text).flatMap { UInt32(exactly: $0) }.map { .uint32($0) }
        case "t": return Sizes.parse(text).map { .uint64($0) }
        case "as": return .strings(texts)
        case "a(sq)":
            let hosts = texts.compactMap { Host(argument: $0)?.variant }
            return hosts.count == texts.count ? .array("(sq)", hosts) : nil
        case "a{sv}":
            let pairs = texts.compactMap(Assignment.init(argument:))
            guard pairs.count == texts.count else { return nil }
            var members: Properties = [:]
            for pair in pairs {
                guard let member = value([pair.value], memberTypes[pair.key] ?? "s") else { return nil }
                members[pair.key] = member
            }
            return .dictionary(members)
        default: return nil
        }
    }

    /// What to write for a D-Bus type.
    static func explain(_ type: String) -> String {
        switch type {
        case "s": "text"
        case "b": "yes or no"
        case "u": "a number, such as 107 or, for permission bits, 0755"
        case "t": "a size, such as 10G"
        case "as": "words, parted by commas"
        case "a(sq)": "hosts, such as one.example,two.example:3260"
        case "a{sv}": "pairs, such as name=host5,managed=yes; or one at a time, with the name after a dot"
        default: "a value of D-Bus type \(type), which cisternctl cannot write; use XML"
        }
    }

    /// Octal after a leading zero.
    private static func number(_ text: String) -> UInt64? {
        text.hasPrefix("0") && text.count > 1 ? UInt64(text, radix: 8) : UInt64(text)
    }

    /// A setting the way `--set` takes it.
    static func text(_ key: String, _ value: Variant) -> String {
        if key.hasSuffix(".mode"), let bits = value.unsigned { return "0" + String(bits, radix: 8) }
        switch value {
        case .string(let text): return text
        case .bool(let isOn): return isOn ? "yes" : "no"
        case .variant(let value): return text(key, value)
        case .structure(let members):
            // A host; port 0 is the protocol's own.
            let (name, port) = (members.first?.text ?? "", members.last?.unsigned ?? 0)
            return members.count == 2 && members.last?.unsigned != nil ? (port == 0 ? name : "\(name):\(port)") : JSON.text(value)
        case .array(_, let elements): return elements.map { text(key, $0) }.joined(separator: ",")
        case .dictionary(_, _, let entries): return entries.map { "\(text("", $0.key))=\(text("", $0.value))" }.joined(separator: ",")
        default: return JSON.text(value)
        }
    }
}
