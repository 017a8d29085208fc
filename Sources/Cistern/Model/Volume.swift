// SPDX-License-Identifier: LGPL-2.1-or-later

/// What is known of one volume at one moment.
public struct Volume: Sendable, Hashable {
    /// What a volume is to the system.
    public enum Kind: String, Sendable { case file, block, dir, network }
    /// Whether the format was stated by somebody or read from the first bytes.
    public enum FormatSource: String, Sendable { case declared, probed }
    /// Where the volume is in its life.
    public enum State: String, Sendable { case allocating, ready, error }

    /// Unique in the pool.
    public var name: String
    public var kind: Kind = .file
    /// Opaque, global, durable identity; empty while allocating.
    public var key = ""
    /// Where the volume's data is reached; empty while allocating.
    public var path = ""
    /// `raw`, `qcow2`, ...; empty when unknown.
    public var format = ""
    public var formatSource: FormatSource = .probed
    public var state: State = .ready
    /// Bytes that a user of the volume sees.
    public var capacity = unknownSize
    /// Bytes that the volume occupies now.
    public var allocation = unknownSize
    /// Bytes from the volume's first to its last on the medium: a file's length.
    public var physical = unknownSize
    /// How the volume stands to others; nil if it stands alone. Set by the engine.
    public internal(set) var chain: BackingChain?
    /// Permission bits, 0 to 0o777.
    public var mode: UInt32 = 0
    /// Numeric user id.
    public var owner: UInt32 = 0
    /// Numeric group id.
    public var group: UInt32 = 0
    /// Microseconds since the epoch; 0 is unknown.
    public var modifyTime: UInt64 = 0
    /// Microseconds since the epoch; 0 is unknown.
    public var birthTime: UInt64 = 0
    public var details: [String: Value] = [:]
    /// nil if the volume has none of it.
    private var rarities: Rarities?

    /// A volume of that name of which nothing else is known yet.
    public init(name: String) {
        self.name = name
    }

    /// Whether a backend that looks again would find the same.
    func isSame(as other: Volume) -> Bool {
        var other = other
        other.chain = chain
        return self == other
    }

    /// State and reason as users see them: a volume whose chain cannot be used cannot be used either.
    public var health: (state: State, reason: String) {
        if state == .ready, let chain, !chain.problem.isEmpty { return (.error, chain.problem) }
        return (state, stateReason)
    }
}

// MARK: - What few volumes have

extension Volume {
    /// Kept apart, since a list of many volumes should not grow by what most of them have not. Nothing of it ever changes.
    private final class Rarities: Sendable, Hashable {
        struct Values: Hashable {
            var stateReason = ""
            var backingPath = ""
            var encryption = ""
            var securityLabel = ""
            var metadata: [String: String] = [:]
        }

        static let none = Values()
        let values: Values

        init(_ values: Values) { self.values = values }

        static func == (left: Rarities, right: Rarities) -> Bool { left === right || left.values == right.values }
        func hash(into hasher: inout Hasher) { hasher.combine(values) }
    }

    private var rare: Rarities.Values {
        get { rarities?.values ?? Rarities.none }
        set { rarities = newValue == Rarities.none ? nil : Rarities(newValue) }
    }

    /// Why the state is `error`; empty otherwise.
    public var stateReason: String {
        get { rare.stateReason }
        set { rare.stateReason = newValue }
    }

    /// Absolute path of what the volume is an overlay of; empty if of nothing. Other schemes (`nbd://…`) are as the image has them.
    public var backingPath: String {
        get { rare.backingPath }
        set { rare.backingPath = newValue }
    }

    /// Encryption scheme (`luks1`, `luks2`, `aes`); empty for none.
    public var encryption: String {
        get { rare.encryption }
        set { rare.encryption = newValue }
    }

    /// Label of a security module; empty for none.
    public var securityLabel: String {
        get { rare.securityLabel }
        set { rare.securityLabel = newValue }
    }

    /// What clients keep with the volume.
    public var metadata: [String: String] {
        get { rare.metadata }
        set { rare.metadata = newValue }
    }
}

/// New owner, group and mode of a volume; nil leaves what is there.
public struct Permissions: Sendable, Hashable {
    /// Permission bits, 0 to 0o777.
    public var mode: UInt32?
    /// Numeric user id.
    public var owner: UInt32?
    /// Numeric group id.
    public var group: UInt32?

    /// A change of what is not nil.
    public init(mode: UInt32? = nil, owner: UInt32? = nil, group: UInt32? = nil) {
        self.mode = mode
        self.owner = owner
        self.group = group
    }
}
