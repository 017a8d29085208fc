// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CSystemd
public import EventLoop
import Glibc

/// Gives memory back to the system. A message may have 32 MiB, and as many values as fit; a daemon that received one such message
/// must not stay that large for good.
@LoopActor
public enum Memory {
    private static var isPrepared = false
    private static var isScheduled = false
    static let large = 1 << 20

    /// Blocks of 1 MiB and more get a mapping of their own, always. By default glibc raises that bound to the largest block that was
    /// ever freed, and keeps such blocks from then on.
    static func prepare() {
        guard !isPrepared else { return }
        isPrepared = true
        mallopt(M_MMAP_THRESHOLD, Int32(large))
        mallopt(M_TRIM_THRESHOLD, Int32(large))
    }

    /// To be called when a message of `bytes` is done with. After a large one, free memory between the blocks in use goes back too.
    static func released(_ bytes: Int) {
        guard bytes > large, !isScheduled else { return }
        isScheduled = true
        Task.immediate(executorPreference: Loop.shared) { @LoopActor in await trimLater() }
    }

    /// One heap for all threads: with one for each, what one has freed is no use to another. To be called before there are threads.
    public nonisolated static func useOneHeap() { mallopt(M_ARENA_MAX, 1) }

    /// To be called when very much has been made and thrown away again: free memory between the blocks in use goes back.
    public static func settle() { released(large + 1) }

    private static func trimLater() async {
        await Loop.shared.nextTurn()
        isScheduled = false
        malloc_trim(0)
    }
}
