// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop

/// A client that reads all the time and must always be answered while the daemon lives.
@LoopActor final class Bystander {
    private let connection: Connection
    private var task: Task<Void, Never>?
    private(set) var answers = 0
    private(set) var slowest = Duration.zero
    var problems: [String] = []
    /// The daemon is being killed or started.
    var daemonIsGone = false

    /// An answer later than this is none.
    private static let patience = Duration.seconds(10)

    init(_ connection: Connection, _ pools: [ObjectPath]) {
        self.connection = connection
        task = Task { [weak self] in
            var turn = 0
            while !Task.isCancelled {
                await self?.ask(pools[turn % pools.count])
                turn += 1
                try? await Task.sleep(for: .milliseconds(4))
            }
        }
    }

    func stop() { task?.cancel() }

    private func ask(_ pool: ObjectPath) async {
        if daemonIsGone { return }
        let began = ContinuousClock.now
        do {
            _ = try await connection.call(
                Harness.service, pool, "org.freedesktop.DBus.Properties", "GetAll", Harness.poolInterface,
                returning: [String: Variant].self, timeout: Self.patience)
            answers += 1
            slowest = max(slowest, ContinuousClock.now - began)
        } catch {
            let took = ContinuousClock.now - began
            if took >= Self.patience { problems.append("reading the properties of \(pool) took \(took): \(error)") }
        }
    }
}
