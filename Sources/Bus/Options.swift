// SPDX-License-Identifier: LGPL-2.1-or-later

/// The last argument of a method that declares options: a{sv}, with only the keys and types that were declared.
public struct Options: DBusType, Equatable {
    private var values: [String: Variant]

    public init(_ values: [String: Variant] = [:]) { self.values = values }

    public subscript(_ key: String) -> Variant? { values[key] }
    public var keys: [String] { values.keys.sorted() }
    public var isEmpty: Bool { values.isEmpty }

    public func string(_ key: String) -> String? { values[key]?.text }
    public func bool(_ key: String) -> Bool? { values[key]?.bool }
    public func unsigned(_ key: String) -> UInt64? { values[key]?.unsigned }
    public func path(_ key: String) -> ObjectPath? { values[key]?.path }
    public func strings(_ key: String) -> [String]? { values[key]?.strings }
    public func stringDictionary(_ key: String) -> [String: String]? { values[key]?.stringDictionary }
    public func dictionary(_ key: String) -> [String: Variant]? { values[key]?.dictionary }
    public func descriptor(_ key: String) -> UnixDescriptor? { values[key]?.descriptor }

    public static var signature: String { "a{sv}" }

    /// Checks each key before its value is looked at, so that what nobody asked for costs nothing.
    public static func read(_ reader: MessageReader) throws(BusError) -> Options {
        let schema = reader.schema ?? OptionSchema([:])
        var options = Options()
        try reader.begin("a", "{sv}")
        while try reader.enter("e", "sv") {
            let key = try String.read(reader)
            let expected = try schema.type(of: key)
            let contents = try reader.variantContents()
            guard OptionSchema.accepts(expected, contents) else { throw OptionSchema.wrongType(key, expected, contents) }
            guard let value = OptionSchema.convert(try Variant.read(reader), to: expected) else {
                throw OptionSchema.wrongValue(key, expected)
            }
            options.values[key] = value
            try reader.end()
        }
        try reader.end()
        return options
    }

    public func append(_ writer: MessageWriter) throws(BusError) { try values.append(writer) }
}

/// The options a method declares: key to complete type.
struct OptionSchema: Sendable {
    let types: [String: String]

    init(_ types: [String: String]) { self.types = types }

    /// As one line, sorted: "allocation t, format s".
    var summary: String { types.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ") }

    func type(of key: String) throws(BusError) -> String {
        if let type = types[key] { return type }
        let shown = key.utf8.count <= 100 ? key : String(key.prefix(100)) + "…"
        let known = types.isEmpty ? "this method has no options" : "the options are \(types.keys.sorted().joined(separator: ", "))"
        throw .invalidArguments("Unknown option '\(shown)'; \(known).")
    }

    private static let integers = Set("ynqiuxt".utf8)

    private static func isInteger(_ type: String) -> Bool { type.utf8.count == 1 && type.utf8.first.map(integers.contains) == true }

    static func accepts(_ expected: String, _ type: String) -> Bool { expected == type || (isInteger(expected) && isInteger(type)) }

    /// `value` as the declared type; nil if that cannot hold it.
    static func convert(_ value: Variant, to type: String) -> Variant? {
        guard isInteger(type), value.contents != type else { return value }
        return switch type {
        case "y": value.unsigned.flatMap { UInt8(exactly: $0) }.map { .byte($0) }
        case "q": value.unsigned.flatMap { UInt16(exactly: $0) }.map { .uint16($0) }
        case "u": value.unsigned.flatMap { UInt32(exactly: $0) }.map { .uint32($0) }
        case "t": value.unsigned.map { .uint64($0) }
        case "n": value.signed.flatMap { Int16(exactly: $0) }.map { .int16($0) }
        case "i": value.signed.flatMap { Int32(exactly: $0) }.map { .int32($0) }
        default: value.signed.map { .int64($0) }
        }
    }

    static func wrongType(_ key: String, _ expected: String, _ got: String) -> BusError {
        let wanted = isInteger(expected) ? "an integer, for example of type \(expected)" : "of type \(expected)"
        return .invalidArguments("Option '\(key)' must be \(wanted), not \(got).")
    }

    static func wrongValue(_ key: String, _ expected: String) -> BusError {
        .invalidArguments("The value of option '\(key)' is out of range: it must fit type \(expected).")
    }
}
