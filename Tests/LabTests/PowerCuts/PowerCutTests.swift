// SPDX-License-Identifier: LGPL-2.1-or-later
import EventLoop
import Glibc
import Testing

private let order = getenv("CISTERN_POWER").map { String(cString: $0) }

/// One boot of a machine whose power is cut, over and over (Tests/Lab/powercuts): sees what was promised before, and promises more.
///
/// `CISTERN_POWER` is the seed of what is done until the power goes, or `no` if nothing is to be done.
@Suite(.enabled(if: Guest.isHere && order != nil, "somebody must cut the power: make powercuts")) struct PowerCutTests {
    @Test func `what was promised before the power went is true when it is back`() async throws {
        let results = try #require(getenv("LAB_RESULTS").map { String(cString: $0) })
        Loop.shared.startThread()
        try await Machine.mount()
        let ledger = try await Ledger(in: results)
        try await ledger.write(.starting)
        try await Daemon.run(limit: .seconds(120)) { daemon in
            let machine = Machine(daemon: daemon)
            var verification = Verification(machine, Account(try Ledger.read()))
            try await verification.run()
            let account = verification.account
            try ledger.write(.verified(account.certain, lastJob: account.lastJob))
            guard let seed = order.flatMap({ UInt64($0) }) else { return }
            try await Load(machine, ledger, account, seed: seed).run()
        }
    }
}
