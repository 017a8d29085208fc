// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop
import Glibc
import Udev

/// A moment before a device is made, changed or removed, so that udev's answer to that very work can be waited for:
///
///     let mark = try await devices.mark(on: blocking)
///     ... the work ...
///     try await mark.settle(number, deadline: .seconds(10), on: blocking)
@LoopActor
final class DeviceMark {
    /// What udev is to have finished with.
    enum Outcome: Sendable, Hashable {
        case present, gone
    }

    private struct Waiter {
        let number: Device.Number
        let continuation: CheckedContinuation<Void, Never>
    }

    var registration: DeviceWatch.Registration?
    /// Of the last event before the mark.
    private let sequence: UInt64
    /// Of each device that udev has finished with since the mark, whether it was there after that.
    private var outcomes: [Device.Number: Outcome] = [:]
    /// How often events were lost, and maybe those that are waited for.
    private var overflows = 0
    private var waiters: [UInt64: Waiter] = [:]
    private var lastWaiter: UInt64 = 0

    init(after sequence: UInt64) { self.sequence = sequence }

    func take(_ notice: Monitor.Notice) {
        switch notice {
        case .event(let event):
            guard event.sequence > sequence else { return }
            let number = event.device.number
            outcomes[number] = event.action == .remove ? .gone : .present
            for (id, waiter) in waiters where waiter.number == number { wake(id) }
        case .overflow:
            overflows += 1
            for id in Array(waiters.keys) { wake(id) }
        }
    }

    /// Waits until the last that udev has told of a device since the mark is what the work made of it. Where no udevd runs, returns at
    /// once.
    ///
    /// - Parameters:
    ///   - outcome: what the work does: a device that is removed and made again is `present`.
    ///   - deadline: how long udev may take, from now.
    ///   - blocking: where the kernel is asked for another event, should events be lost meanwhile.
    /// - Throws: `StorageError`: timed out, cancelled.
    func settle(_ number: Device.Number, _ outcome: Outcome = .present, deadline: Duration, on blocking: Blocking)
        async throws(StorageError)
    {
        let end = ContinuousClock.now + deadline
        var answered = 0
        while outcomes[number] != outcome {
            guard Monitor.isDaemonRunning else { return }
            if Task.isCancelled { throw StorageError(.cancelled, "The operation was cancelled while udev looked at device \(number).") }
            guard ContinuousClock.now < end else {
                throw StorageError(
                    .timedOut,
                    "udev has not finished with device \(number) in \(deadline.components.seconds) s; see what the log of systemd-udevd says."
                )
            }
            if overflows == answered {
                try await sleep(until: end, number)
                continue
            }
            answered = overflows
            let isThere = try await blocking.ask("wait for udev to finish with device \(number)") { () throws(UdevError) in
                try Device.requestEvent(of: number)
            }
            if !isThere, outcome == .gone { return }
        }
    }

    /// Returns when there may be something new: an event of the device, an overflow, the deadline, a cancellation.
    private func sleep(until end: ContinuousClock.Instant, _ number: Device.Number) async throws(StorageError) {
        lastWaiter += 1
        let id = lastWaiter
        let timer: Source
        do throws(LoopError) {
            timer = try Loop.shared.timer(after: end - .now) { [weak self] in self?.wake(id) }
        } catch {
            throw StorageError(.failed, "Cannot wait for udev to finish with device \(number): \(error).")
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                waiters[id] = Waiter(number: number, continuation: continuation)
                if Task.isCancelled { wake(id) }
            }
        } onCancel: {
            Task { @LoopActor in wake(id) }
        }
        timer.cancel()
    }

    private func wake(_ waiter: UInt64) { waiters.removeValue(forKey: waiter)?.continuation.resume() }
}
