// SPDX-License-Identifier: LGPL-2.1-or-later

/// What a caller asks of a new volume.
public struct VolumeRequest: Sendable, Hashable {
    /// How much of the capacity is taken from the pool at once.
    public enum Allocation: String, CaseIterable, Sendable {
        /// Nothing: blocks come when they are written.
        case sparse
        /// Only the format's tables (qcow2).
        case metadata
        /// All of it reserved, without writing where the file system can.
        case falloc
        /// All of it written with zeros.
        case full
    }

    /// Checked by ``checkName(_:of:)``.
    public var name: String
    /// Bytes, 1 to 2^63 - 1.
    public var capacity: UInt64
    public var format: String
    public var allocation: Allocation
    /// Bytes from the start that are reserved though `allocation` is `sparse`: libvirt's partial allocation. nil is none.
    public var reserve: UInt64?
    /// Permission bits, 0 to 0o777; nil leaves 0o600.
    public var mode: UInt32?
    /// Numeric user id; nil leaves the daemon's.
    public var owner: UInt32?
    /// Numeric group id; nil leaves the daemon's.
    public var group: UInt32?
    /// What the volume is to be an overlay of.
    public var backing: Backing?
    /// How an image is to be laid out.
    public var layout = ImageLayout()
    /// What an encrypted volume is to be opened with.
    public var passphrase: Secret?
    /// How an encrypted volume is to be encrypted, where the format's own choice is not wanted.
    public var cipher: Cipher?
    /// Whether the file's blocks are to be written in place on a file system that copies on write.
    public var noCopyOnWrite = false

    /// What another volume is made on.
    public struct Backing: Sendable, Hashable {
        /// nil for a file that is no volume of ours.
        public var volume: VolumeReference?
        /// If given, the volume must still have it.
        public var key: String?
        /// How the volume is to be read; empty means as its own `format` says.
        public var format: String
        /// Where it is; of a volume, found out by the engine.
        public internal(set) var path = ""

        /// The volume as a backing file.
        public init(_ volume: VolumeReference, key: String? = nil, format: String = "") {
            self.volume = volume
            self.key = key
            self.format = format
        }

        /// A file that is no volume of ours; nobody looks at it.
        public init(path: String, format: String) {
            self.path = path
            self.format = format
        }
    }

    /// A request; the engine checks it.
    public init(name: String, capacity: UInt64, format: String = "raw", allocation: Allocation = .sparse) {
        self.name = name
        self.capacity = capacity
        self.format = format
        self.allocation = allocation
    }
}

/// How data is encrypted, in qemu's words; nil leaves it to the format. LUKS has all of it.
public struct Cipher: Sendable, Hashable {
    /// With the key's size in bits, such as `aes-256`.
    public var algorithm: String?
    public var mode: String?
    public var hash: String?
    /// How the vector that each sector begins with is made: `plain64`, `essiv`.
    public var vector: String?
    public var vectorHash: String?

    /// Everything as the format has it.
    public init() {}
}

/// How an image is to be laid out; nil leaves it to the format. Which format has which, its backend knows.
public struct ImageLayout: Sendable, Hashable {
    /// qcow2: `0.10` (version 2) or `1.1` (version 3).
    public var compat: String?
    /// Bytes.
    public var clusterSize: UInt64?
    /// qcow2: reference counts may be behind after a crash, and are repaired then.
    public var lazyRefcounts: Bool?
    /// qcow2: a bitmap of 32 subclusters for each cluster.
    public var extendedL2: Bool?
    /// vmdk, vpc, vhdx: a kind of the format.
    public var subformat: String?

    /// Everything as the format has it.
    public init() {}
}
