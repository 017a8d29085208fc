// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop
import Testing

@testable import Backends

@Suite struct ChangeQueueTests {
    private func drain(_ queue: ChangeQueue) async -> [Change] {
        let stream = queue.stream()
        queue.finish()
        var changes: [Change] = []
        for await change in stream { changes.append(change) }
        return changes
    }

    @Test func keepsTheOrderAndNothingTwice() async {
        let queue = ChangeQueue()
        for change in [.entry("a"), .renamed("a", "b"), .entry("a"), .entry("c")] as [Change] { queue.put(change) }
        #expect(await drain(queue) == [.entry("a"), .renamed("a", "b"), .entry("c")])
    }

    @Test func becomesEverythingWhenItGetsLong() async {
        let queue = ChangeQueue()
        for number in 0..<5000 { queue.put(.entry("\(number)")) }
        queue.put(.lost("it is gone"))
        #expect(await drain(queue) == [.everything, .lost("it is gone")])
    }

    @Test func tellsAgainWhatWasTaken() async {
        let queue = ChangeQueue()
        var iterator = queue.stream().makeAsyncIterator()
        for _ in 0..<3 {
            queue.put(.entry("a"))
            #expect(await iterator.next() == .entry("a"))
        }
        queue.finish()
        #expect(await iterator.next() == nil)
    }

    @Test func isFinishedWithItsStream() async {
        let isFinished = Locked(false)
        let queue = ChangeQueue { isFinished.withLock { $0 = true } }
        var stream: AsyncStream<Change>? = queue.stream()
        #expect(stream != nil && !isFinished.withLock { $0 })
        stream = nil
        #expect(isFinished.withLock { $0 })
    }
}
