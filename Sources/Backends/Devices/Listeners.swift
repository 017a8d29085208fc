// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop

/// Who is told of something, each for as long as somebody holds their registration. What feeds them is there as long as one of them is.
@LoopActor
final class Listeners<Notice> {
    typealias Listener = @LoopActor (Notice) -> Void

    private var feed: AnyObject?
    private var listeners: [UInt64: Listener] = [:]
    private var last: UInt64 = 0

    nonisolated init() {}

    /// - Parameter start: makes what calls the closure that it is given, until it is let go of.
    func add(
        _ listener: @escaping Listener, fedBy start: (@escaping Listener) throws(StorageError) -> AnyObject
    ) throws(StorageError) -> Registration {
        if feed == nil { feed = try start { [weak self] in self?.tell($0) } }
        last += 1
        listeners[last] = listener
        return Registration(self, last)
    }

    private func tell(_ notice: Notice) {
        for listener in listeners.values { listener(notice) }
    }

    private func remove(_ listener: UInt64) {
        listeners[listener] = nil
        if listeners.isEmpty { feed = nil }
    }

    /// A listener that is told, until this is gone.
    @LoopActor
    final class Registration {
        private let listeners: Listeners
        private let listener: UInt64

        fileprivate init(_ listeners: Listeners, _ listener: UInt64) {
            self.listeners = listeners
            self.listener = listener
        }

        isolated deinit { listeners.remove(listener) }
    }
}
