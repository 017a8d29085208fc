// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
public import EventLoop
import Glibc

/// One listener to the table of mounts for all pools, on the event loop. Made once; listens while somebody wants to know.
@LoopActor
public final class MountWatch {
    private let listeners = Listeners<Void>()

    public nonisolated init() {}

    /// Calls a listener after every change of what is mounted where, for as long as somebody holds the answer.
    ///
    /// - Throws: `StorageError` if the table cannot be watched.
    func add(_ listener: @escaping @LoopActor () -> Void) throws(StorageError) -> Listeners<Void>.Registration {
        try listeners.add(listener) { (tell) throws(StorageError) in try Table(tell) }
    }

    /// The table itself. See proc_pid_mounts(5): the file is readable out of band whenever it has changed.
    @LoopActor
    private final class Table {
        private let descriptor: Descriptor
        private let source: Source

        init(_ tell: @escaping Listeners<Void>.Listener) throws(StorageError) {
            func failure(_ why: String) -> StorageError { StorageError(.failed, "Mounts cannot be watched: \(why).") }
            let descriptor: Descriptor
            do throws(Errno) {
                descriptor = Descriptor(owning: try checked(open("/proc/self/mountinfo", O_RDONLY | O_NONBLOCK | O_CLOEXEC)))
            } catch {
                throw failure(error.text)
            }
            do throws(LoopError) {
                source = try Loop.shared.watch(descriptor.raw, events: Loop.exceptional) { _ in tell(()) }
            } catch {
                throw failure("\(error)")
            }
            self.descriptor = descriptor
        }

        isolated deinit {
            source.cancel()
            descriptor.close()
        }
    }
}
