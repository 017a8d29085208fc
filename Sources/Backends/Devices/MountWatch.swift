// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
public import EventLoop
import Glibc

/// One listener to the table of mounts for all pools, on the event loop. Made once; listens while somebody wants to know. See
/// proc_pid_mounts(5): the file is readable out of band whenever the table has changed.
@LoopActor
public final class MountWatch {
    private var descriptor: Descriptor?
    private var source: Source?
    private var listeners: [UInt64: @LoopActor () -> Void] = [:]
    private var lastListener: UInt64 = 0

    public nonisolated init() {}

    /// Calls a listener after every change of what is mounted where, for as long as somebody holds the answer.
    ///
    /// - Throws: `StorageError` if the table cannot be watched.
    func add(_ listener: @escaping @LoopActor () -> Void) throws(StorageError) -> Registration {
        if source == nil { try listen() }
        lastListener += 1
        listeners[lastListener] = listener
        return Registration(self, lastListener)
    }

    private func listen() throws(StorageError) {
        func failure(_ why: String) -> StorageError { StorageError(.failed, "Mounts cannot be watched: \(why).") }
        let opened: Descriptor
        do throws(Errno) {
            opened = Descriptor(owning: try checked(open("/proc/self/mountinfo", O_RDONLY | O_NONBLOCK | O_CLOEXEC)))
        } catch {
            throw failure(error.text)
        }
        do throws(LoopError) {
            source = try Loop.shared.watch(opened.raw, events: Loop.exceptional) { [weak self] _ in self?.tell() }
        } catch {
            throw failure("\(error)")
        }
        descriptor = opened
    }

    private func tell() { for listener in listeners.values { listener() } }

    private func remove(_ listener: UInt64) {
        listeners[listener] = nil
        guard listeners.isEmpty else { return }
        source?.cancel()
        source = nil
        descriptor = nil
    }

    /// A listener that is told, until this is gone.
    @LoopActor
    final class Registration {
        private let mounts: MountWatch
        private let listener: UInt64

        fileprivate init(_ mounts: MountWatch, _ listener: UInt64) {
            self.mounts = mounts
            self.listener = listener
        }

        isolated deinit { mounts.remove(listener) }
    }
}
