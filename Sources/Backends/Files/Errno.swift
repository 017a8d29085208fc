// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import Glibc

/// What a system call said when it failed. Becomes a ``StorageError`` where it is known what was being done.
struct Errno: Error, Hashable {
    let code: Int32

    init(_ code: Int32) { self.code = code }

    /// The system call did not come back.
    static let noAnswer = Errno(ETIMEDOUT)

    /// The calling thread's last failure.
    static var last: Errno { Errno(errno) }

    /// The C library's words: "No such file or directory", without the capital.
    var text: String {
        // The block layer has the word for itself; attributes that are not there are no failures here.
        if code == ENODATA { return "medium error" }
        let text = String(cString: strerror(code))
        guard let first = text.first, !text.dropFirst().prefix(1).allSatisfy(\.isUppercase) else { return text }
        return first.lowercased() + text.dropFirst()
    }

    /// The error a caller of the service sees.
    ///
    /// - Parameter action: continues "Cannot": "create volume a in /srv/images".
    func explained(_ action: String) -> StorageError {
        StorageError(storageCode, "Cannot \(action): \(text)\(wayOut).")
    }

    private var storageCode: StorageError.Code {
        switch code {
        case ENOENT, ESTALE: .notFound
        case EEXIST, ENOTEMPTY: .exists
        case EBUSY, ETXTBSY, EWOULDBLOCK: .busy
        case ENOSPC, EDQUOT: .noSpace
        case EFBIG, EOPNOTSUPP, ENOSYS: .notSupported
        case ENODEV, ENXIO, ENOTCONN, EHOSTDOWN, EHOSTUNREACH, EIO, ENODATA, EREMOTEIO, EROFS, ENOTDIR: .unavailable
        case ETIMEDOUT: .timedOut
        case EMFILE, ENFILE: .limitsExceeded
        default: .failed
        }
    }

    private var wayOut: String {
        switch code {
        case ENOSPC: "; free some space or make it smaller"
        case EDQUOT: "; raise the quota or make it smaller"
        case EROFS: "; mount it writable, or look into the kernel's log, if it was"
        case EFBIG: "; the file system has no files that large"
        case EACCES, EPERM: "; check the permissions and attributes of the directory and the file"
        case EIO, ENODATA, EREMOTEIO: "; look into the kernel's log"
        case ENODEV, ENXIO: "; connect the device again, and look into the kernel's log"
        case EMFILE, ENFILE: "; too many files are open"
        case EBUSY, ETXTBSY, EWOULDBLOCK: "; try again when it is no longer in use"
        default: ""
        }
    }
}

/// The result of a system call, or its failure.
@inline(__always)
func checked<Number: SignedInteger>(_ result: Number) throws(Errno) -> Number {
    if result < 0 { throw Errno.last }
    return result
}
