// SPDX-License-Identifier: LGPL-2.1-or-later

/// A first-in, first-out queue in one array.
struct Fifo<Element> {
    private var elements: [Element] = []
    private var head = 0

    var isEmpty: Bool { head == elements.count }
    var count: Int { elements.count - head }

    mutating func push(_ element: Element) { elements.append(element) }

    mutating func pop() -> Element? {
        guard head < elements.count else { return nil }
        defer { shrink() }
        head += 1
        return elements[head - 1]
    }

    mutating func popNewest() -> Element? { isEmpty ? nil : elements.removeLast() }

    /// Amortized: forgets what was popped once it is the larger half.
    private mutating func shrink() {
        guard head > 32, head * 2 > elements.count else {
            if head == elements.count { elements.removeAll(keepingCapacity: true); head = 0 }
            return
        }
        elements.removeFirst(head)
        head = 0
    }
}
