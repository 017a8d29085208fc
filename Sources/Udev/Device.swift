// SPDX-License-Identifier: LGPL-2.1-or-later

/// A block device, as the kernel and udev knew it at one moment.
public struct Device: Sendable, Hashable {
    /// What the kernel calls a block device that is there; the next one may get the same number.
    public struct Number: Sendable, Hashable, CustomStringConvertible {
        public let major: UInt32
        public let minor: UInt32

        public init(major: UInt32, minor: UInt32) {
            self.major = major
            self.minor = minor
        }

        public var description: String { "\(major):\(minor)" }
    }

    /// DEVTYPE.
    public enum DeviceType: String, Sendable {
        case disk, partition
    }

    /// The directory of the device: "/sys/devices/.../block/sdb".
    public let sysPath: String
    /// The kernel's name: "/dev/sdb".
    public let node: String
    public let number: Number
    public let type: DeviceType
    /// udev's names: "/dev/disk/by-id/...".
    public let links: Set<String>
    /// What the kernel and the rules of udev tell: "ID_SERIAL" ...
    public let properties: [String: String]
    /// Whether udev has finished with the device once. Before that, `links` and most of `properties` are not there. Always false where
    /// no udevd runs.
    public let isInitialized: Bool

    public init(
        sysPath: String, node: String, number: Number, type: DeviceType = .disk, links: Set<String> = [],
        properties: [String: String] = [:], isInitialized: Bool = true
    ) {
        self.sysPath = sysPath
        self.node = node
        self.number = number
        self.type = type
        self.links = links
        self.properties = properties
        self.isInitialized = isInitialized
    }

    /// Whether a path is the node or one of the links, spelled as they are.
    public func isNamed(_ path: String) -> Bool { node == path || links.contains(path) }
}
