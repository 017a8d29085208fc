// SPDX-License-Identifier: LGPL-2.1-or-later

/// What the header of an image file says, as it says it: no name in it has been resolved and nothing it names was opened.
public struct ImageHeader: Sendable, Hashable {
    /// The file that an image is an overlay of.
    public struct Backing: Sendable, Hashable {
        /// As written: a path, relative to the image or absolute, a `json:` description or the name of a network protocol.
        public var file: String
        /// The backing file's format; empty if the header does not tell.
        public var format: String

        public init(file: String, format: String = "") {
            self.file = file
            self.format = format
        }
    }

    /// A property that only some formats have.
    public struct Detail: Sendable, Hashable {
        public enum Value: Sendable, Hashable {
            case bool(Bool)
            case uint32(UInt32)
            case uint64(UInt64)
            case string(String)
        }

        public var key: String
        public var value: Value

        public init(_ key: String, _ value: Value) {
            self.key = key
            self.value = value
        }
    }

    /// raw, qcow, qcow2, qed, vmdk, vdi, vpc, vhdx, luks, iso, bochs, cloop, dmg or parallels.
    public var format: String
    /// Size of the virtual disk in bytes, at most 2^63-1. None where it is the file's own length (raw, iso) and where a problem hides it.
    public var capacity: UInt64?
    public var backing: Backing?
    /// `aes`, `luks1`, `luks2`, or empty.
    public var encryption: String
    /// The unit of allocation in bytes, for formats that have one and say so in this file.
    public var clusterSize: UInt64?
    /// Name of the file with a qcow2 image's data, if it has none of its own.
    public var dataFile: String?
    /// Names of the other files that hold a VMDK's data, in order.
    public var extents: [String]
    public var details: [Detail]
    /// Empty, or one clause that says why this header cannot be used: "its header is truncated".
    public var problem: String

    public init(format: String) {
        self.format = format
        capacity = nil
        backing = nil
        encryption = ""
        clusterSize = nil
        dataFile = nil
        extents = []
        details = []
        problem = ""
    }

    /// The value of a detail, if the format has it.
    public subscript(detail: String) -> Detail.Value? { details.first { $0.key == detail }?.value }

    mutating func note(_ key: String, _ value: Detail.Value) { details.append(Detail(key, value)) }
}

/// Why a header cannot be used.
struct Flaw: Error {
    /// One clause, about "it".
    let clause: String

    init(_ clause: String) { self.clause = clause }

    static var truncated: Flaw { Flaw("its header is truncated") }
    static func alien(_ format: String) -> Flaw { Flaw("it does not begin like a \(format) image") }
    static func range(_ what: String, _ value: some BinaryInteger) -> Flaw { Flaw("its \(what) of \(value) is out of range") }
}
