// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus

/// Settings of a pool as they are typed: `target.path=/srv/pool`, `source.devices=/dev/sdb,/dev/sdc`.
enum Settings {
    /// The settings as the service wants them; `types` tells the D-Bus type of each key.
    static func parse(_ assignments: [Assignment], types: [String: String]) throws -> Properties {
        var settings: Properties = [:]
        for assignment in assignments {
            guard let type = types[assignment.key] else {
                let known = types.keys.sorted().joined(separator: ", ")
                throw Failure(.usage, "There is no setting \(assignment.key) for this type of pool; there are: \(known).")
            }
            guard let value = value(assignment.value, type: type) else {
                throw Failure(.usage, "\(assignment.value) is no value for \(assignment.key): \(example(type)).")
            }
            settings[assignment.key] = value
        }
        return settings
    }

    private static func value(_ text: String, type: String) -> Variant? {
        switch type {
        case "s": .string(text)
        case "b": ["true": true, "yes": true, "false": false, "no": false][text].map { .bool($0) }
        case "u": number(text).flatMap { UInt32(exactly: $0) }.map { .uint32($0) }
        case "t": Sizes.parse(text).map { .uint64($0) }
        case "as": .strings(list(text))
        case "a(sq)": hosts(list(text))
        case "a{sv}": .dictionary(pairs(text).mapValues { Variant.string($0) })
        case "a{ss}": .dictionary(pairs(text))
        default: nil
        }
    }

    private static func example(_ type: String) -> String {
        switch type {
        case "b": "it wants true or false"
        case "u": "it wants a number, such as 107 or, for permission bits, 0755"
        case "t": "it wants a size, such as 10G"
        case "a(sq)": "it wants hosts, such as one.example,two.example:3260"
        default: "cisternctl cannot write the D-Bus type \(type)"
        }
    }

    /// Octal after a leading zero.
    private static func number(_ text: String) -> UInt64? {
        text.hasPrefix("0") && text.count > 1 ? UInt64(text, radix: 8) : UInt64(text)
    }

    private static func list(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }

    private static func pairs(_ text: String) -> [String: String] {
        let pairs = list(text).compactMap(Assignment.init(argument:)).map { ($0.key, $0.value) }
        return Dictionary(pairs) { $1 }
    }

    /// Port 0 is the protocol's own. A port follows the last colon, brackets keep an IPv6 address together.
    private static func hosts(_ texts: [String]) -> Variant? {
        var hosts: [Variant] = []
        for text in texts {
            var (name, port) = (text, UInt16(0))
            if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]"), text.hasPrefix("[") || text.firstIndex(of: ":") == colon
            {
                guard let number = UInt16(text[text.index(after: colon)...]) else { return nil }
                (name, port) = (String(text[..<colon]), number)
            }
            hosts.append(.structure([.string(name), .uint16(port)]))
        }
        return .array("(sq)", hosts)
    }
}
