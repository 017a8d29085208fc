// SPDX-License-Identifier: LGPL-2.1-or-later
import EventLoop
import Foundation
import Glibc

/// What is true of one name.
enum Fact: Codable, Equatable {
    /// A pool is defined, and this is its directory.
    case definition(target: String)
    case autostart
    /// Sizes in bytes; at least `reserved` of them take space on the disk.
    case volume(format: String, capacity: UInt64, reserved: UInt64)

    /// Whether this is as good as what was promised.
    func keeps(_ promised: Fact) -> Bool {
        guard case .volume(let format, let capacity, let reserved) = self,
            case .volume(let promisedFormat, let promisedCapacity, let promisedReserve) = promised
        else { return self == promised }
        return format == promisedFormat && capacity == promisedCapacity && reserved >= promisedReserve
    }
}

/// Of each name what is true; what is not there is not named.
typealias Facts = [String: Fact]

extension Facts {
    static func definition(_ pool: String) -> String { "definition of " + pool }
    static func autostart(_ pool: String) -> String { "autostart of " + pool }
    static func volume(_ name: String) -> String { "volume " + name }
}

/// One operation: the facts about its names, before it, after each step that may be seen, and after it.
struct Change: Codable {
    let number: Int
    let what: String
    let stages: [Facts]

    var names: Set<String> { Set(stages.flatMap(\.keys)) }
}

/// What the outside was told, and what it asked for. Kept on the host, line by line, where it is safe when the power goes.
@LoopActor final class Ledger {
    enum Entry: Codable {
        /// The service is about to be started.
        case starting
        /// All that was promised before was found true, and comes to this.
        case verified(Facts, lastJob: UInt64)
        case sent(Change)
        /// The reply to a change named its job.
        case job(UInt64, of: Int)
        /// A change was told to be done.
        case done(Int)
    }

    /// Where the driver keeps the ledgers of earlier boots, named in their order.
    private static let earlier = "/lab/ledgers"
    private let descriptor: Int32

    /// Opens the ledger of this boot.
    init(in directory: String) throws {
        descriptor = open(directory + "/ledger", O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Guest.Failure("cannot open the ledger in \(directory): \(errno)") }
    }

    deinit { close(descriptor) }

    /// Writes a line; it is on the host when this returns.
    func write(_ entry: Entry) throws {
        let line = [UInt8](try JSONEncoder().encode(entry)) + [UInt8(ascii: "\n")]
        guard Glibc.write(descriptor, line, line.count) == line.count else { throw Guest.Failure("cannot write the ledger: \(errno)") }
    }

    /// What all earlier boots wrote.
    static func read() throws -> [Entry] {
        try Guest.entries(earlier).sorted().flatMap { name in
            // The last line may have been cut off: nobody acted upon it.
            try String(contentsOfFile: "\(earlier)/\(name)", encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
                .dropLast().map { try JSONDecoder().decode(Entry.self, from: Data($0.utf8)) }
        }
    }
}

/// What the ledgers say when the power is back.
struct Account {
    private(set) var certain: Facts = [:]
    /// Changes that were under way, in the order in which they were sent.
    private(set) var open: [Change] = []
    private(set) var jobs: [Int: UInt64] = [:]
    private(set) var lastJob: UInt64 = 0
    /// Whether the service was started since, but the power went before all was verified: it may have told of the jobs already.
    private(set) var wasRecovering = false

    init(_ entries: [Ledger.Entry]) {
        for entry in entries { take(entry) }
    }

    private mutating func take(_ entry: Ledger.Entry) {
        switch entry {
        case .starting: wasRecovering = true
        case .verified(let facts, let job): (certain, open, jobs, lastJob, wasRecovering) = (facts, [], [:], job, false)
        case .sent(let change): open.append(change)
        case .job(let job, let change):
            jobs[change] = job
            lastJob = max(lastJob, job)
        case .done(let number):
            guard let change = open.first(where: { $0.number == number }), let last = change.stages.last else { return }
            settle(change, last)
        }
    }

    /// From now on this is certain of the names that a change was about.
    mutating func settle(_ change: Change, _ stage: Facts) {
        open.removeAll { $0.number == change.number }
        for name in change.names { certain[name] = stage[name] }
    }

    mutating func note(job: UInt64) { lastJob = max(lastJob, job) }
}
