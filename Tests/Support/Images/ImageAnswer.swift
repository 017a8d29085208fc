// SPDX-License-Identifier: LGPL-2.1-or-later

/// What `qemu-img info --output=json` says about an image file.
public struct ImageAnswer: Sendable, Decodable {
    public struct Specific: Sendable, Decodable {
        public let type: String
        public let data: Properties
    }

    /// What only some formats have.
    public struct Properties: Sendable, Decodable {
        public let compat: String?
        public let compression: String?
        public let lazyRefcounts: Bool?
        public let extendedL2: Bool?
        public let corrupt: Bool?
        public let dataFile: String?
        public let createType: String?
        public let extents: [Extent]?
        public let payloadOffset: UInt64?
        public let encrypt: Cipher?

        enum CodingKeys: String, CodingKey {
            case compat, corrupt, extents, encrypt
            case compression = "compression-type"
            case lazyRefcounts = "lazy-refcounts"
            case extendedL2 = "extended-l2"
            case dataFile = "data-file"
            case createType = "create-type"
            case payloadOffset = "payload-offset"
        }
    }

    public struct Extent: Sendable, Decodable { public let filename: String }
    public struct Cipher: Sendable, Decodable { public let format: String }
    public struct Snapshot: Sendable, Decodable { public let name: String }

    public let format: String
    public let virtualSize: UInt64
    public let clusterSize: UInt64?
    public let isEncrypted: Bool?
    public let isDirty: Bool?
    public let backingFile: String?
    public let backingFormat: String?
    public let snapshots: [Snapshot]?
    public let specific: Specific?

    enum CodingKeys: String, CodingKey {
        case format, snapshots
        case virtualSize = "virtual-size"
        case clusterSize = "cluster-size"
        case isEncrypted = "encrypted"
        case isDirty = "dirty-flag"
        case backingFile = "backing-filename"
        case backingFormat = "backing-filename-format"
        case specific = "format-specific"
    }
}
