// SPDX-License-Identifier: LGPL-2.1-or-later

/// What an administrator asked for: a pool's name, type and settings. It says nothing of what is there.
public struct PoolDefinition: Sendable, Hashable {
    /// Unique on the host; 1 to 255 bytes of UTF-8, see ``checkName(_:of:)``.
    public var name: String
    /// Lower-case textual UUID, made once.
    public var uuid: String
    /// Name of the pool type, such as `dir`.
    public var type: String
    /// Settings by dotted key (`target.path`), each of the type that the pool type declares.
    public var settings: [String: Value]

    /// A definition; nothing is checked here.
    public init(name: String, uuid: String, type: String, settings: [String: Value]) {
        self.name = name
        self.uuid = uuid
        self.type = type
        self.settings = settings
    }

    /// The setting's text, if it is there and is text.
    public func string(_ key: String) -> String? {
        if case .string(let text) = settings[key] { text } else { nil }
    }

    /// The setting's number, if it is there and is a 32-bit number.
    public func uint32(_ key: String) -> UInt32? {
        if case .uint32(let number) = settings[key] { number } else { nil }
    }
}

/// Refuses a name that could not be a file name, or would hide in a listing.
///
/// - Parameters:
///   - name: the name as the caller gave it.
///   - noun: what is being named, for the message: "pool", "volume".
/// - Throws: `invalidArguments` that says which rule is broken.
public func checkName(_ name: String, of noun: String) throws(StorageError) {
    func refuse(_ why: String) -> StorageError { StorageError(.invalidArguments, "A \(noun) name \(why); choose another name.") }
    if name.isEmpty { throw refuse("must not be empty") }
    if name.utf8.count > 255 { throw refuse("may have at most 255 bytes, and this one has \(name.utf8.count)") }
    if name == "." || name == ".." { throw refuse("must not be “\(name)”") }
    if name.utf8.contains(UInt8(ascii: "/")) { throw refuse("must not contain “/”") }
    if name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
        throw refuse("must not contain control characters")
    }
    if name.hasPrefix(reservedPrefix) { throw refuse("must not begin with “\(reservedPrefix)”, which Cistern keeps for unfinished work") }
}

/// Entries with this prefix are unfinished work of ours: never shown, never accepted from callers.
public let reservedPrefix = ".cistern-"
