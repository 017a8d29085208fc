// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern

/// What tells whether a file is still as it was when it was read.
struct Stamp: Sendable, Hashable {
    private let identity: FileStatus.Identity
    private let size: UInt64
    /// Changes some time after the write that needs the space, without any other trace.
    private let allocation: UInt64
    private let modified: Int64
    private let changed: Int64

    init(_ status: FileStatus) {
        identity = status.identity
        size = status.size
        allocation = status.allocation
        modified = status.modified
        changed = status.changed
    }

    func isOf(inode: UInt64) -> Bool { identity.inode == inode }
}

/// What was known when a scan began.
struct Memory: Sendable {
    let known: [String: Volume]
    let stamps: [String: Stamp]

    /// Whether the known volume may be taken as it is.
    func isUnchanged(_ name: String, _ stamp: Stamp) -> Bool {
        guard stamps[name] == stamp, let index = known.index(forKey: name) else { return false }
        return !known.values[index].key.isEmpty
    }
}

/// What some entries turned out to be.
struct Batch: Sendable {
    /// A file that was read.
    struct Found: Sendable {
        let volume: Volume
        let stamp: Stamp
        let identity: FileStatus.Identity
        let links: UInt32
        /// Files that are the volume's, too.
        let extents: [String]
        /// Whether the file could be looked into; if not, it is looked at again by the next scan.
        let isRead: Bool
    }

    var found: [Found] = []
    var skipped: [(entry: String, reason: String)] = []
    private(set) var unchanged = 0
    /// Those of the unchanged names that may look like others.
    private(set) var unchangedExotic: [String] = []

    mutating func skip(_ entry: DirectoryEntry, _ reason: String) { skipped.append((entry.name, reason)) }

    mutating func add(_ volume: Volume, _ status: FileStatus, extents: [String], isRead: Bool = true) {
        found.append(
            Found(
                volume: volume, stamp: Stamp(status), identity: status.identity, links: status.links, extents: extents, isRead: isRead))
    }

    mutating func addUnchanged(_ name: String) {
        unchanged += 1
        if name.isExotic { unchangedExotic.append(name) }
        names.append(name)
    }

    /// Of all that are unchanged.
    private(set) var names: [String] = []
}

enum SkipReason {
    static let sameAppearance = "its name looks the same as another one's"

    static let undurable = "its creation failed, and it cannot be removed"

    static func extent(of volume: String) -> String { "an extent of \(volume)" }

    static func anotherName(of first: String) -> String { "another name of \(first)" }
}

/// A scan's result, made of the last one and of what is different: where nothing is, nothing is copied.
struct Tally: Sendable {
    private(set) var volumes: [String: Volume]
    private(set) var stamps: [String: Stamp]
    private(set) var skipped: [String: String] = [:]
    private(set) var sharedNames: Set<String> = []
    /// Files that belong to another one's volume, with its name.
    private(set) var extents: [String: String] = [:]

    init(_ batches: [Batch], _ before: Memory) {
        let unchanged = batches.reduce(0) { $0 + $1.unchanged }
        let found = batches.reduce(0) { $0 + $1.found.count }
        volumes = before.known
        stamps = before.stamps
        if unchanged != volumes.count { keep(batches, unchanged + found) }
        if unchanged != stamps.count { stamps = stamps.filter { volumes[$0.key] != nil } }
        if found > volumes.count / 4 {
            volumes.reserveCapacity(volumes.count + found)
            stamps.reserveCapacity(stamps.count + found)
        }
        add(batches, before.known)
        for batch in batches { for skip in batch.skipped { skipped[skip.entry] = skip.reason } }
        for (extent, owner) in extents where volumes[owner] != nil && remove(extent) { skipped[extent] = SkipReason.extent(of: owner) }
    }

    /// Leaves what is unchanged.
    private mutating func keep(_ batches: [Batch], _ capacity: Int) {
        var kept: [String: Volume] = [:]
        kept.reserveCapacity(capacity)
        for batch in batches { for name in batch.names { kept[name] = volumes[name] } }
        volumes = kept
    }

    private mutating func add(_ batches: [Batch], _ known: [String: Volume]) {
        // Swift takes canonically equivalent strings for equal; a file system does not.
        var exotic = Set(batches.flatMap(\.unchangedExotic))
        var shared: [FileStatus.Identity: [String]] = [:]
        for file in batches.lazy.flatMap(\.found) {
            let name = file.volume.name
            if name.isExotic, !exotic.insert(name).inserted {
                skipped[escaped(name.utf8)] = SkipReason.sameAppearance
                continue
            }
            volumes[name] = file.volume
            // Extents may change without it: a volume that has some is never taken for unchanged.
            stamps[name] = file.isRead && file.extents.isEmpty ? file.stamp : nil
            for extent in file.extents { extents[extent] = name }
            if file.links > 1 { shared[file.identity, default: []].append(name) }
        }
        for names in shared.values where names.count > 1 { settle(names, known) }
    }

    /// Leaves one name to a file: the one that was a volume before, or the first.
    private mutating func settle(_ names: [String], _ known: [String: Volume]) {
        sharedNames.formUnion(names)
        let first = firstName(of: names) { known[$0] != nil && known[$0]?.key == volumes[$0]?.key }
        for name in names where name != first {
            _ = remove(name)
            skipped[name] = SkipReason.anotherName(of: first)
        }
    }

    private mutating func remove(_ name: String) -> Bool {
        stamps[name] = nil
        return volumes.removeValue(forKey: name) != nil
    }
}

/// The name that is the volume's, of several that one file has.
func firstName(of names: [String], isKnown: (String) -> Bool) -> String {
    let byBytes = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    return byBytes.first(where: isKnown) ?? byBytes[0]
}

extension String {
    /// Whether another string of other bytes could be equal to it.
    fileprivate var isExotic: Bool { utf8.contains { $0 >= 0x80 } }
}
