// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
public import EventLoop
import Glibc
import Udev

/// One listener to udev for all pools, on the event loop. Made once; listens while somebody wants to know.
@LoopActor
public final class DeviceWatch {
    typealias Handler = @LoopActor (Happening) -> Void
    typealias Registration = Listeners<Monitor.Notice>.Registration

    /// What was seen of the device that a path names.
    enum Happening: Sendable, Hashable {
        /// The path names this device, and udev has finished with it. Another device that the path named may still be there.
        case appeared(Device)
        /// The device, which the path names or has named, is not what it was: its size, its contents, its links ...
        case changed(Device)
        /// The device, which the path names or has named, is no more.
        case gone(Device.Number)
        /// Anything may have happened; whatever is seen after this will be told as if for the first time.
        case everything
    }

    private let bufferSize: Int
    private let listeners = Listeners<Monitor.Notice>()

    public nonisolated convenience init() { self.init(bufferSize: Monitor.bufferSize) }

    /// For tests: events are lost when more than `bufferSize` bytes of them wait.
    nonisolated init(bufferSize: Int) { self.bufferSize = bufferSize }

    /// Watches what a path names, for as long as somebody holds the answer.
    ///
    /// What it names already is told before this returns, as having appeared, unless udev has not finished with it. A path that udev
    /// does not know, a link that somebody made, is looked up this once: of what it leads to later nothing is told.
    /// - Parameters:
    ///   - path: as a definition spells it: a node, or a link such as "/dev/disk/by-id/...".
    ///   - blocking: where the path is looked up.
    /// - Throws: `StorageError` if something else than a device is there, or udev cannot be listened to.
    func add(_ path: String, on blocking: Blocking, _ handler: @escaping Handler) async throws(StorageError) -> Watch {
        let watch = Watch(path, handler)
        watch.registration = try listen { [weak watch] in watch?.take($0) }
        watch.takeFirstLook(
            try await blocking.ask("watch device \(path)") { () throws(UdevError) in
                guard let device = try Device.find(at: path) else { return nil }
                return device.isInitialized || !Monitor.isDaemonRunning ? device : nil
            })
        return watch
    }

    /// Begins to note which devices udev finishes with; to be called before a device is made, changed or removed.
    func mark(on blocking: Blocking) async throws(StorageError) -> DeviceMark {
        let last = try await blocking.ask("wait for udev") { () throws(UdevError) in try Event.lastSequence() }
        let mark = DeviceMark(after: last)
        mark.registration = try listen { [weak mark] in mark?.take($0) }
        return mark
    }

    /// Calls a listener with all that udev tells, for as long as somebody holds the answer.
    private func listen(_ listener: @escaping Listeners<Monitor.Notice>.Listener) throws(StorageError) -> Registration {
        try listeners.add(listener) { (tell) throws(StorageError) in
            do throws(UdevError) { return try Monitor(bufferSize: bufferSize, handler: tell) } catch {
                throw StorageError(.failed, "Devices cannot be watched: \(error).")
            }
        }
    }

    /// A watch in force, as long as somebody holds it. What is being told when it is let go of may still be told.
    @LoopActor
    final class Watch {
        private let handler: Handler
        private var device: NamedDevice
        fileprivate var registration: Registration?

        fileprivate init(_ path: String, _ handler: @escaping Handler) {
            self.handler = handler
            device = NamedDevice(path)
        }

        fileprivate func take(_ notice: Monitor.Notice) {
            switch notice {
            case .event(let event):
                if let happening = device.take(event) { handler(happening) }
            case .overflow:
                device.takeOverflow()
                handler(.everything)
            }
        }

        fileprivate func takeFirstLook(_ found: Device?) {
            if let happening = device.takeFirstLook(found) { handler(happening) }
        }
    }
}

extension Blocking {
    /// Runs a lookup in /sys or in udev's database.
    func ask<T: Sendable>(
        _ action: @autoclosure @escaping @Sendable () -> String, _ body: @escaping @Sendable () throws(UdevError) -> T
    ) async throws(StorageError) -> T {
        try await run(action()) {
            do throws(UdevError) { return try body() } catch { throw Errno(error.code) }
        }
    }
}
