// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CLinux  // clang counts sigset_t to whichever header module includes it first
internal import CSystemd
import Glibc

/// Something the loop waits for: a descriptor, a point in time, a signal. Ends with `cancel()`, or when the last reference is gone.
@LoopActor
public final class Source {
    fileprivate var raw: OpaquePointer?
    fileprivate var handler: (@LoopActor (UInt32) -> Void)?

    fileprivate init(_ handler: @escaping @LoopActor (UInt32) -> Void) { self.handler = handler }

    isolated deinit { sd_event_source_disable_unref(raw) }

    /// The handler is not called again, and what it captured is released. May be called from the handler itself.
    public func cancel() {
        raw = sd_event_source_disable_unref(raw)
        handler = nil
    }

    /// Sets a timer anew, whether it has fired or not. Does nothing after `cancel()`, or to a source that is not a timer.
    public func rearm(after delay: Duration) {
        guard let raw, sd_event_source_set_time_relative(raw, UInt64(delay.microseconds)) >= 0 else { return }
        sd_event_source_set_enabled(raw, Int32(SD_EVENT_ONESHOT))
    }

    /// What the C callback is given. sd-event never calls back once `raw` is disabled, so the pointer outlives every use.
    fileprivate var context: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    fileprivate static func fire(_ context: UnsafeMutableRawPointer?, _ value: UInt32) -> Int32 {
        guard let context else { return 0 }
        LoopActor.assumeIsolated {
            let source = Unmanaged<Source>.fromOpaque(context).takeUnretainedValue()
            source.handler?(value)
        }
        return 0
    }
}

extension Loop {
    /// EPOLLIN, EPOLLOUT and EPOLLPRI: what `watch` can wait for.
    public static let readable: UInt32 = 0x1
    public static let writable: UInt32 = 0x4
    public static let exceptional: UInt32 = 0x2

    /// Calls `handler` with the epoll bits that are set, as long as any of `events` (or EPOLLHUP, EPOLLERR) is. The descriptor stays
    /// the caller's, and must stay open until the source has ended.
    @LoopActor
    public func watch(
        _ descriptor: Int32, events: UInt32 = Loop.readable, handler: @escaping @LoopActor (UInt32) -> Void
    ) throws(LoopError) -> Source {
        let source = Source(handler)
        let result = sd_event_add_io(
            event, &source.raw, descriptor, events, { _, _, events, context in Source.fire(context, events) }, source.context)
        try check(result, "watch descriptor \(descriptor)")
        return source
    }

    /// Calls `handler` once, `delay` from now, to the millisecond. `rearm(after:)` makes it fire again.
    @LoopActor
    public func timer(after delay: Duration, handler: @escaping @LoopActor () -> Void) throws(LoopError) -> Source {
        let source = Source { _ in handler() }
        let result = sd_event_add_time_relative(
            event, &source.raw, CLOCK_MONOTONIC, UInt64(delay.microseconds), 1000, { _, _, context in Source.fire(context, 0) },
            source.context)
        try check(result, "set a timer")
        return source
    }

    /// Calls `handler` on the loop whenever the process gets signal `number`, which `blockSignals(_:)` must have blocked.
    @LoopActor
    public func onSignal(_ number: Int32, handler: @escaping @LoopActor () -> Void) throws(LoopError) -> Source {
        let source = Source { _ in handler() }
        let result = sd_event_add_signal(event, &source.raw, number, { _, _, context in Source.fire(context, 0) }, source.context)
        try check(result, "wait for signal \(number)")
        return source
    }

    /// Blocks the signals that `onSignal` will handle (SIGTERM, SIGINT and SIGHUP unless told), in this thread and in all threads made later; ignores SIGPIPE, so that writing to
    /// a pipe whose reader left is an error and not the end of the process. First thing in main, before any thread exists. A child
    /// process must be given its signal mask and SIGPIPE back.
    public static func blockSignals(_ numbers: [Int32]? = nil) {
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers ?? [SIGTERM, SIGINT, SIGHUP] { sigaddset(&set, number) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
    }
}
