// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop
import Glibc
import Synchronization

/// Reserves and fills ranges of one file in pieces.
///
/// Every piece is one turn on the lane, so that short work of the same pool and other fillers get in between, and a request to
/// stop is heard between any two pieces.
struct SpaceFiller: Sendable {
    let blocking: Blocking
    let file: File
    /// Continues "Cannot", for messages.
    let action: String
    /// How many fillers the pool has now.
    let company: Company

    /// Counts those who take turns.
    final class Company: Sendable {
        private let count = Atomic<Int>(0)

        var size: Int { count.load(ordering: .relaxed) }
        func enter() { count.add(1, ordering: .relaxed) }
        func leave() { count.subtract(1, ordering: .relaxed) }
    }

    /// Reserves the range.
    ///
    /// - Parameter growing: whether the file gets as long as what is reserved.
    /// - Returns: false if the file system cannot reserve; nothing has changed then.
    func reserve(_ range: Range<UInt64>, growing: Bool, _ progress: Progress) async throws(StorageError) -> Bool {
        company.enter()
        defer { company.leave() }
        var pace = Pace(from: 256 << 20, to: 16 << 30)
        var offset = range.lowerBound
        while offset < range.upperBound {
            try progress.checkCancelled()
            let start = offset
            let length = min(pace.step, range.upperBound - start)
            let elapsed = try await blocking.runBulk(action) { [file] () throws -> Duration? in
                let clock = ContinuousClock.now
                do throws(Errno) { try file.reserve(start, length, growing: growing) } catch {
                    if error.code == EOPNOTSUPP || error.code == ENOSYS { return nil }
                    throw error
                }
                return ContinuousClock.now - clock
            }
            guard let elapsed else { return false }
            offset += length
            pace.adapt(took: elapsed, company: company.size)
        }
        return true
    }

    /// Writes zeros over the range: on the medium (but for the file's own metadata) when this returns.
    func writeZeros(_ range: Range<UInt64>, _ progress: Progress) async throws(StorageError) {
        company.enter()
        defer { company.leave() }
        let buffer = AlignedBuffer.zeros()
        var pace = Pace(from: 256 << 10, to: 16 << 20)
        var direct = true
        var offset = range.lowerBound
        while offset < range.upperBound {
            try progress.checkCancelled()
            let piece = Self.piece(at: offset, upTo: range.upperBound, pace.step)
            let tryDirect = direct
            let (stillDirect, elapsed) = try await blocking.runBulk(action) { [file] () throws -> (Bool, Duration) in
                let clock = ContinuousClock.now
                return (try Self.write(file, buffer, piece, direct: tryDirect), ContinuousClock.now - clock)
            }
            direct = stillDirect
            offset = piece.upperBound
            progress.advance(UInt64(piece.count))
            pace.adapt(took: elapsed, company: company.size)
        }
    }

    private static let alignment = UInt64(AlignedBuffer.alignment)

    /// The next piece; all but the first begin, and all but the first and last end, where direct writes may.
    private static func piece(at offset: UInt64, upTo end: UInt64, _ step: UInt64) -> Range<UInt64> {
        let first = offset % alignment
        if first != 0 { return offset..<min(end, offset - first + alignment) }
        let length = min(step, end - offset)
        return offset..<offset + (length > alignment ? length / alignment * alignment : length)
    }

    /// - Returns: whether the next piece is worth a try with O_DIRECT.
    private static func write(_ file: File, _ buffer: AlignedBuffer, _ piece: Range<UInt64>, direct: Bool) throws(Errno) -> Bool {
        let aligned = piece.lowerBound % alignment == 0 && piece.upperBound % alignment == 0
        if direct, aligned, file.setDirect(true) {
            do throws(Errno) {
                try file.writeZeros(buffer, at: piece.lowerBound, piece.count)
                return true
            } catch {
                guard error.code == EINVAL || error.code == EOPNOTSUPP else { throw error }
            }
        }
        _ = file.setDirect(false)
        try file.writeZeros(buffer, at: piece.lowerBound, piece.count)
        file.writeBack(piece.lowerBound, piece.count)
        return direct && !aligned
    }
}
