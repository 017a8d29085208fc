// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CUdev
public import EventLoop
import Glibc

/// Hears from udevd of every block device it has finished with, on the event loop, until the last reference is gone.
///
/// What udevd sends waits in the kernel; each turn of the loop takes some of it, so that a burst neither holds up the loop nor makes
/// the process grow. See udev_monitor_new_from_netlink(3), udev_monitor_receive_device(3). Where no udevd runs nothing is heard; one
/// that is started later is heard only if /dev is a devtmpfs, as on every machine that is no container.
@LoopActor
public final class Monitor {
    /// What a monitor tells.
    public enum Notice: Sendable, Hashable {
        case event(Event)
        /// Events were lost, all of them before this one: whoever wants to know what is there must look.
        case overflow
    }

    /// Bytes that may wait in the kernel, unless told: some thousand events.
    public nonisolated static let bufferSize = 16 << 20

    private let context: OpaquePointer
    private let raw: OpaquePointer
    private let handler: @LoopActor (Notice) -> Void
    private var source: Source?
    private var hasOverflowed = false

    /// Begins to listen.
    ///
    /// - Parameter bufferSize: in bytes; without CAP_NET_ADMIN the kernel gives no more than the sysctl net.core.rmem_max.
    public init(bufferSize: Int = Monitor.bufferSize, handler: @escaping @LoopActor (Notice) -> Void) throws(UdevError) {
        guard let context = udev_new() else { throw UdevError("listen to udev", code: errno) }
        guard let raw = udev_monitor_new_from_netlink(context, "udev") else {
            let error = UdevError("listen to udev", code: errno)
            udev_unref(context)
            throw error
        }
        self.context = context
        self.raw = raw
        self.handler = handler
        try start(bufferSize)
    }

    isolated deinit {
        source?.cancel()
        udev_monitor_unref(raw)
        udev_unref(context)
    }

    private func start(_ bufferSize: Int) throws(UdevError) {
        // A smaller buffer than asked for is no reason to hear nothing.
        udev_monitor_set_receive_buffer_size(raw, Int32(clamping: bufferSize))
        let filtered = udev_monitor_filter_add_match_subsystem_devtype(raw, "block", nil)
        guard filtered >= 0 else { throw UdevError("listen to udev", code: filtered) }
        let listening = udev_monitor_enable_receiving(raw)
        guard listening >= 0 else { throw UdevError("listen to udev", code: listening) }
        do throws(LoopError) {
            source = try Loop.shared.watch(udev_monitor_get_fd(raw)) { [weak self] _ in self?.receive() }
        } catch {
            throw UdevError(error.operation, code: error.code)
        }
    }

    /// Whether a udevd runs that will finish with devices. The answer can be old the moment it is given.
    public nonisolated static var isDaemonRunning: Bool { access("/run/udev/control", F_OK) == 0 }

    // MARK: - Events

    /// Takes what one turn of the loop has time for; the loop comes back for the rest.
    private func receive() {
        var slice = Slice()
        repeat {
            guard let device = udev_monitor_receive_device(raw) else {
                if errno == EINTR { continue }
                if errno == EAGAIN { return tellOverflow() }
                hasOverflowed = true
                continue
            }
            tell(device)
            udev_device_unref(device)
        } while !slice.isOver()
    }

    /// Not before the queue is empty: until then the kernel goes on to drop events, without another word about it.
    private func tellOverflow() {
        guard hasOverflowed else { return }
        hasOverflowed = false
        handler(.overflow)
    }

    private func tell(_ raw: OpaquePointer) {
        guard let device = Device(raw), let action = udev_device_get_action(raw) else { return }
        handler(.event(Event(Event.Action(String(cString: action)), device, sequence: udev_device_get_seqnum(raw))))
    }
}
