// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern

extension Variant {
    /// The D-Bus form of a value.
    init(_ value: Value) {
        switch value {
        case .bool(let value): self = .bool(value)
        case .uint32(let value): self = .uint32(value)
        case .uint64(let value): self = .uint64(value)
        case .double(let value): self = .double(value)
        case .string(let value): self = .string(value)
        case .strings(let value): self = .strings(value)
        case .hosts(let value): self = .array("(sq)", value.map { .structure([.string($0.name), .uint16($0.port)]) })
        case .map(let value): self = .dictionary(value.variants)
        }
    }
}

extension [String: Value] {
    var variants: [String: Variant] { mapValues { Variant($0) } }
}

/// Settings as a caller sent them, each turned into the type that the pool type declares.
///
/// - Throws: `invalidArguments` that names the setting, what was expected and what came.
func settings(_ given: [String: Variant], of type: PoolType) throws(StorageError) -> [String: Value] {
    var settings: [String: Value] = [:]
    for (key, variant) in given {
        guard let signature = type.settings[key] else {
            throw StorageError(
                .invalidArguments,
                "Pools of type \(type.name) have no setting “\(key)”; they have \(type.settings.keys.sorted().joined(separator: ", ")).")
        }
        guard let value = Value(variant, signature) else {
            throw StorageError(
                .invalidArguments,
                "Setting “\(key)” must be of D-Bus type \(signature), and \(variant) of type \(variant.contents) was given.")
        }
        settings[key] = value
    }
    return settings
}

extension Value {
    /// The variant as a value of that D-Bus type; an integer may come in any integer type that holds it.
    init?(_ variant: Variant, _ signature: String) {
        let value: Value? =
            switch signature {
            case "b": variant.bool.map { .bool($0) }
            case "u": variant.unsigned.flatMap { UInt32(exactly: $0) }.map { .uint32($0) }
            case "t": variant.unsigned.map { .uint64($0) }
            case "s": variant.text.map { .string($0) }
            case "as": variant.strings.map { .strings($0) }
            case "a(sq)": Value.hosts(from: variant)
            case "a{sv}": Value.map(from: variant)
            default: nil
            }
        guard let value else { return nil }
        self = value
    }

    private static func map(from variant: Variant) -> Value? {
        guard let entries = variant.dictionary else { return nil }
        var map: [String: Value] = [:]
        for (key, entry) in entries {
            guard let value = Value(inside: entry) else { return nil }
            map[key] = value
        }
        return .map(map)
    }

    /// A value that nothing has declared the type of; of an integer, the smaller type that holds it.
    private init?(inside variant: Variant) {
        let found = ["b", "u", "t", "s"].lazy.compactMap { Value(variant, $0) }.first
        guard let found else { return nil }
        self = found
    }

    private static func hosts(from variant: Variant) -> Value? {
        guard case .array(_, let elements) = variant else { return nil }
        var hosts: [Host] = []
        for case .structure(let fields) in elements where fields.count == 2 {
            guard let name = fields[0].text, let port = fields[1].unsigned.flatMap({ UInt16(exactly: $0) }) else { return nil }
            hosts.append(Host(name: name, port: port))
        }
        return hosts.count == elements.count ? .hosts(hosts) : nil
    }
}
