// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Glibc

/// Knowledge that nobody else has a file open, kept true for a moment: whoever opens the file waits until the lease ends.
///
/// Costs two system calls. Only when that says no, or where there are no leases, /proc is read to name the holders.
final class Lease: Sendable {
    /// What nobody else may be doing.
    enum Exclusion: Sendable {
        case opening, writing
    }

    /// Somebody is.
    struct Taken: Error {
        let holders: [Holder]
    }

    /// The file, open with the rights asked for; nil if they could not be had and the lease is but a look into /proc.
    let file: File?
    private let isHeld: Bool

    /// Tries, with 1 to 512 ms between them.
    private static let attempts = 10

    /// - Parameters:
    ///   - reference: a regular file.
    ///   - path: where it is, to find out about loop devices.
    /// - Throws: ``Taken``, ``Errno``.
    init(_ reference: FileReference, path: String, writable: Bool = false, excluding: Exclusion) throws {
        let identity = try reference.status().identity
        let open = try Self.open(reference, writable: writable)
        if let open {
            for attempt in 1...Self.attempts {
                if linux_lease(open.raw, excluding == .opening ? F_WRLCK : F_RDLCK) == 0 {
                    file = open
                    isHeld = true
                    return
                }
                guard errno == EAGAIN else { break }
                // Who only has a short look, as we ourselves do after every change, is gone in a moment; so is what a child of ours
                // has from us, as soon as it becomes another program.
                usleep(500 << UInt32(attempt))
                if attempt == 1 { continue }
                let holders = Holders.of(identity, path: path)
                if attempt == Self.attempts || holders.contains(where: { !$0.isChild }) { throw Taken(holders: holders) }
            }
        }
        let holders = Holders.of(identity, path: path).filter { excluding == .opening || $0.writes }
        if !holders.isEmpty { throw Taken(holders: holders) }
        file = open
        isHeld = false
    }

    private static func open(_ reference: FileReference, writable: Bool) throws -> File? {
        do throws(Errno) { return try reference.open(writable ? O_RDWR : O_RDONLY) } catch {
            switch error.code {
            case EWOULDBLOCK, ETXTBSY: throw Taken(holders: [])  // somebody's lease, or a program that runs
            case EACCES where !writable: return nil
            default: throw error
            }
        }
    }

    /// Lets those go on who waited to open the file.
    func end() {
        if isHeld, let file, file.raw >= 0 { _ = linux_lease(file.raw, F_UNLCK) }
    }

    /// Ends the lease and closes the file. May block on some file systems.
    func close() {
        end()
        file?.close()
    }

    deinit { end() }
}
