// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc

/// A daemon that is killed in the middle of everything, over and over, and what must be true afterwards.
///
/// A round sends random operations over several connections, kills the daemon at a random moment, starts it again, and compares
/// the disk and the bus with what may be there: each operation done or not done, as its reply or its job said if they said
/// anything, and all else as it was.
@LoopActor final class Torture {
    /// What a failed round is told as; the seed and the round repeat its choices.
    struct Failure: Error, CustomStringConvertible { let description: String }

    let harness: Harness
    let seed: UInt64
    let program: String
    private(set) var pools: [PoolModel] = []
    /// A directory of some thousand files that nobody touches, active in some rounds only.
    private(set) var crowd: PoolModel
    var clients: [Connection] = []
    let observer: JobObserver
    private var bystander: Bystander?

    var dice: Dice
    var cells: [Cell] = []
    var problems: [String] = []
    /// Volumes of this round whose name somebody else wanted for a file.
    var contested: Set<ObjectPath> = []
    /// Replies in this round, and what waits for one of them.
    var replies = 0
    var replyWanted: (count: Int, continuation: CheckedContinuation<Void, Never>)?
    /// Image formats that this daemon makes.
    var makesImages = false
    private var moment = ""

    /// No job of this round has a lower number.
    private var firstNumber: UInt64 = 1

    private(set) var rounds = 0
    private(set) var kills = 0
    /// What was known of the operations when the daemon died.
    private(set) var outcomes: [Cell.Outcome: Int] = [:]
    var operations = 0
    private static let crowdSize = 3000

    init(_ harness: Harness, seed: UInt64, program: String) async throws {
        self.harness = harness
        self.seed = seed
        self.program = program
        dice = Dice(seed: seed, round: 0)
        observer = try await JobObserver(try Connection.open(.custom(harness.address), description: "observer"))
        try await harness.startDaemon(program: program)
        for _ in 0..<3 { clients.append(try Connection.open(.custom(harness.address), description: "client")) }
        let directory = harness.root + "/crowd"
        mkdir(directory, 0o755)
        for n in 0..<Self.crowdSize { writeFile(directory + "/f\(n)", [UInt8](repeating: 7, count: n % 5)) }
        crowd = PoolModel("crowd", try await harness.define("crowd", directory), directory)
        for name in ["disk", "fuse"] {
            let directory = harness.root + "/" + name
            let pool = PoolModel(name, try await harness.define(name, directory), directory)
            mkdir(directory, 0o755)
            pools.append(pool)
            furnish(pool)
            _ = try await harness.job(pool.object, "Start", ["wait": .bool(true)])
        }
        let types = try await harness.call(
            Harness.manager, Harness.managerInterface, "GetPoolTypes", [String: Variant](), returning: [String: [String: Variant]].self)
        makesImages = types["dir"]?["volume-formats"]?.strings?.contains("qcow2") == true
        bystander = Bystander(try Connection.open(.custom(harness.address), description: "bystander"), pools.map(\.object))
    }

    func end() {
        bystander?.stop()
        observer.stop()
        for client in clients { client.close() }
    }

    /// Files that nobody touches, and some that operations may take.
    private func furnish(_ pool: PoolModel) {
        for n in 0..<12 {
            let name = (n < 6 ? "bystander" : "old") + String(n)
            _ = putFile(name, in: pool, size: n < 6 ? 3000 + n * 5000 : 1 << 20)
        }
    }

    /// How a round is named in messages.
    private func title(_ round: Int) -> String {
        "seed \(seed), round \(round) (\(moment)); repeat with CISTERN_TORTURE_SEED=\(seed) CISTERN_TORTURE_ROUND=\(round)"
    }

    // MARK: - A round

    /// - Throws: ``Failure``, with everything that is wrong.
    func round(_ number: Int) async throws {
        dice = Dice(seed: seed, round: number)
        cells = []
        contested = []
        replies = 0
        firstNumber = observer.largest + 1
        rounds += 1
        let busy = sendOperations(dice.number(4...14))
        await waitForMoment()
        try await die()
        for task in busy { await task.value }
        try await observer.catchUp()
        settleByJobs()
        for cell in cells { outcomes[cell.outcome, default: 0] += 1 }
        await checkChildren("after the kill")
        if dice.percent(15) {
            moment += ", killed again while recovering"
            try await live()
            await rest(.microseconds(dice.number(0...40_000)))
            try await die()
            try await observer.catchUp()
        }
        try await live()
        if dice.percent(25) { try await sendEarly() }
        do { try await check() } catch { problems.append("\(error)") }
        problems += observer.problems + (bystander?.problems ?? [])
        guard problems.isEmpty else { throw Failure(description: title(number) + ":\n" + problems.joined(separator: "\n")) }
        stamp()
    }

    private func waitForMoment() async {
        switch dice.number(0...9) {
        case 0...1:
            let count = dice.number(1...4)
            moment = "killed right after reply \(count)"
            let gaveUp = Task {
                try await Task.sleep(for: .milliseconds(200))
                wakeReplyWaiter()
            }
            if replies < count { await withCheckedContinuation { replyWanted = (count, $0) } }
            gaveUp.cancel()
        case 2:
            let delay = dice.number(60...350)
            moment = "killed after \(delay) ms"
            await rest(.milliseconds(delay))
        default:
            let delay = dice.number(0...60_000)
            moment = "killed after \(delay) µs"
            await rest(.microseconds(delay))
        }
    }

    private func rest(_ duration: Duration) async { try? await Task.sleep(for: duration) }

    func replied() {
        replies += 1
        if let wanted = replyWanted, replies >= wanted.count { wakeReplyWaiter() }
    }

    private func wakeReplyWaiter() {
        replyWanted?.continuation.resume()
        replyWanted = nil
    }

    /// Kills the daemon; returns when the bus has delivered all that it sent.
    private func die() async throws {
        bystander?.daemonIsGone = true
        await harness.kill(SIGKILL)
        kills += 1
        let name = Variant.string(Harness.service)
        var isOwned = true
        while isOwned {
            isOwned =
                try await harness.client.call(
                    "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner", dynamic: [name]
                ).first?.bool ?? false
        }
    }

    private func live() async throws {
        observer.life += 1
        try await harness.startDaemon(program: program)
        bystander?.daemonIsGone = false
    }

    /// What the jobs' ends that were seen say about the operations.
    func settleByJobs() {
        for cell in cells where cell.outcome == .open {
            for (path, job) in observer.jobs {
                guard isOf(cell, job), let ended = job.ended, ended != "lost" else { continue }
                cell.outcome = ended == "completed" ? .done : .undone
                let mayFail = cell.mayBeCancelled && ended == "cancelled" || job.error == "org.cistern1.Error.Interrupted"
                if ended != "completed", !mayFail { problems.append("\(cell.what): \(path) \(ended) with \(job.error)") }
            }
        }
    }

    /// Whether the job is that of the operation: of this round, and about the same volume.
    func isOf(_ cell: Cell, _ job: JobObserver.Seen) -> Bool {
        job.number >= firstNumber && job.operation == cell.operation && job.objects.contains(cell.volume)
    }

    /// One line of how far it is.
    var report: String {
        "torture: \(rounds) rounds, \(kills) kills, \(operations) operations (\(outcomes[.done] ?? 0) done, \(outcomes[.undone] ?? 0) "
            + "refused, \(outcomes[.open] ?? 0) under way when killed), \(observer.jobs.count) jobs, "
            + "\(bystander?.answers ?? 0) reads meanwhile, the slowest \(bystander?.slowest ?? .zero)"
    }
}
