// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern
import EventLoop

extension ManagerObject {
    /// A page ends when it is this large, whatever the limit.
    private static let pageBytes = 8 << 20

    /// `ListVolumes`: pools and volumes in the order of their names' bytes; the cursor is the name of the last volume that was given.
    func listVolumes(_ writer: MessageWriter, _ filter: [String: Variant], _ options: Options) async throws {
        let matches = try Interfaces.volume.matcher(filter)
        let fields = try Interfaces.volume.fields(options.strings("fields"))
        let limit = options.unsigned("limit") ?? .max
        if limit == 0 { throw StorageError(.invalidArguments, "A page of 0 volumes would have no end; give a limit of 1 or more.") }
        let cursor = try Cursor(options.string("after") ?? "")
        var given: UInt64 = 0
        var last = ObjectPath.root
        var isComplete = true
        var slice = Slice()
        try writer.beginArray("(oa{sv})")
        listing: for pool in publisher.pools.values.sorted(by: { precedes($0.name, $1.name) }) {
            if let cursor, precedes(pool.name, cursor.pool) { continue }
            if let wanted = filter["Pool"]?.path, wanted != Paths.pool(pool.name) { continue }
            let entries = await publisher.sortedEntries(of: pool)
            let volumes = pool.volumes
            let first = cursor?.pool == pool.name ? entries.partitioningIndex { precedes(cursor?.volume ?? "", $0.name) } : 0
            for entry in entries[first...] {
                guard let volume = volumes[entry.name] else { continue }
                let object = VolumeObject(face: face, pool: pool, volume: volume)
                if matches?(object) != false {
                    if given == limit || writer.bytes >= Self.pageBytes {
                        isComplete = false
                        break listing
                    }
                    try writer.beginStructure("oa{sv}")
                    try writer.append(entry.path)
                    try Interfaces.volume.append(fields, of: object, to: writer)
                    try writer.end()
                    given += 1
                    last = entry.path
                }
                if slice.isOver() { await slice.rest() }
            }
        }
        try writer.end()
        try writer.append(isComplete ? "" : Cursor.text(last))
    }
}

/// Where a page ended.
private struct Cursor {
    let pool: String
    let volume: String

    init(pool: String, volume: String) {
        self.pool = pool
        self.volume = volume
    }

    /// Nil if the text is empty: the beginning.
    init?(_ text: String) throws {
        if text.isEmpty { return nil }
        let path = ObjectPath("/" + text)
        guard let path, let pool = ObjectPath.decode(path.parent, below: .root), let volume = ObjectPath.decode(path, below: path.parent)
        else {
            throw StorageError(.invalidArguments, "Option “after” must be what an earlier call gave as next; “\(text.prefix(100))” is not.")
        }
        self.init(pool: pool, volume: volume)
    }

    /// What stands for the volume at a path: the path without what is the same for all.
    static func text(_ volume: ObjectPath) -> String { String(volume.description.dropFirst(Paths.volumes.description.count + 1)) }
}

private func precedes(_ left: String, _ right: String) -> Bool { left.utf8.lexicographicallyPrecedes(right.utf8) }

extension Array {
    /// The first position from which `predicate` holds, in an array where it holds from there to the end.
    fileprivate func partitioningIndex(where predicate: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
