// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc

/// What must be true of a file.
struct FileFacts: Hashable {
    enum Kind { case raw, qcow2 }

    var kind = Kind.raw
    /// Size of a raw file; virtual size of an image.
    var capacity: UInt64
    /// Bytes that must be there on disk at least.
    var reserved: UInt64 = 0
    /// What makes the first `known` bytes; nil of a file that nobody has written to, whose head is zeros.
    var seed: UInt64?
    var known = 0

    /// What is different from this at `path`; nil if nothing is.
    func difference(at path: String) -> String? {
        guard let status = fileStatus(path) else { return "is missing" }
        guard status.st_mode & S_IFMT == S_IFREG else { return "is no regular file" }
        let size = UInt64(clamping: status.st_size)
        let blocks = UInt64(clamping: status.st_blocks) * 512
        if blocks > (size + 4095) / 4096 * 4096 + Self.slack { return "has \(blocks) bytes on disk for a size of \(size)" }
        if kind == .qcow2 { return imageDifference(at: path) }
        if size != capacity { return "has \(size) bytes, not \(capacity)" }
        if blocks < reserved { return "has \(blocks) bytes on disk, not \(reserved)" }
        if let seed { return head(of: path, known) == content(seed, known) ? nil : "has other content" }
        return head(of: path, 4096).allSatisfy { $0 == 0 } ? nil : "has content that nobody wrote"
    }

    /// A file system's own blocks for a file.
    private static let slack: UInt64 = 64 << 10

    private func imageDifference(at path: String) -> String? {
        let header = head(of: path, 104)
        guard header.count == 104, header.starts(with: [0x51, 0x46, 0x49, 0xFB]) else { return "has no qcow2 header" }
        let size = header[24..<32].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return size == capacity ? nil : "is an image of \(size) bytes, not \(capacity)"
    }

    /// After a resize.
    func resized(to new: UInt64, allocate: Bool) -> FileFacts {
        var facts = self
        facts.capacity = new
        if new < capacity {
            facts.reserved = reserved == capacity ? new : 0
            facts.known = min(known, Int(clamping: new))
        } else if allocate {
            facts.reserved += new - capacity
        }
        return facts
    }
}

/// What some names stand for; nil is that there is no such file.
typealias Layout = [String: FileFacts?]

let absent: FileFacts? = nil

/// One pool as it must be.
@LoopActor final class PoolModel {
    let name: String
    let object: ObjectPath
    let directory: String
    /// What is certain between two rounds.
    var files: [String: FileFacts] = [:]
    /// Names that an operation of this round is about.
    var taken: Set<String> = []

    init(_ name: String, _ object: ObjectPath, _ directory: String) {
        self.name = name
        self.object = object
        self.directory = directory
    }

    func path(_ file: String) -> String { directory + "/" + file }
    func volume(_ file: String) -> ObjectPath { .encode(.encode("/org/cistern1/volumes", name), file) }
}

/// One operation of a round: names that go from one layout to another, all at once or not at all.
@LoopActor final class Cell {
    enum Outcome { case open, undone, done }

    let what: String
    let operation: String
    let pool: PoolModel
    /// The volume that its job names.
    let volume: ObjectPath
    let before: Layout
    let after: Layout
    var outcome = Outcome.open
    var job: ObjectPath?
    /// A cancellation was asked for.
    var mayBeCancelled = false

    init(_ what: String, _ operation: String, _ pool: PoolModel, _ name: String, before: Layout, after: Layout) {
        self.what = what
        self.operation = operation
        self.pool = pool
        volume = pool.volume(name)
        self.before = before
        self.after = after
    }

    /// The layout that is there; nil, with what is wrong, if it is none that may be.
    func settled() -> (layout: Layout?, problem: String) {
        var reasons: [String] = []
        for (layout, name, excluded) in [(before, "before", Outcome.done), (after, "after", Outcome.undone)] where outcome != excluded {
            let differences = layout.keys.sorted().compactMap { difference($0, layout[$0] ?? nil) }
            if differences.isEmpty { return (layout, "") }
            reasons.append("not as \(name) (\(differences.joined(separator: "; ")))")
        }
        let job = job.map { ", \($0)" } ?? ""
        return (nil, "\(what) in \(pool.name) [outcome \(outcome)\(job)]: \(reasons.joined(separator: ", "))")
    }

    private func difference(_ name: String, _ facts: FileFacts?) -> String? {
        if let facts { return facts.difference(at: pool.path(name)).map { "\(name) \($0)" } }
        return fileStatus(pool.path(name)) == nil ? nil : "\(name) is there"
    }
}
