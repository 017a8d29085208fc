// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CSystemd
import Glibc

/// What the service manager and its journal hear from this process. Everything does nothing outside of systemd.
public enum ServiceManager {
    /// Tells the service manager, in its words: `READY=1`, `STOPPING=1`, `STATUS=…`; several lines at once if need be.
    public static func notify(_ state: String) { sd_notify(0, state) }

    /// How often the service manager wants to hear `WATCHDOG=1`; nil if it does not.
    public static func watchdogInterval() -> Duration? {
        var microseconds: UInt64 = 0
        guard sd_watchdog_enabled(0, &microseconds) > 0, microseconds > 0 else { return nil }
        return .microseconds(Int64(clamping: microseconds))
    }

    /// Writes one entry to the journal. `MESSAGE` is the field people read; names are upper case.
    ///
    /// - Returns: false if there is no journal that took it.
    @discardableResult
    public static func journal(_ fields: [(String, String)]) -> Bool {
        var bytes: [UInt8] = []
        var ends: [Int] = []
        for (name, value) in fields {
            bytes += name.utf8
            bytes.append(UInt8(ascii: "="))
            bytes += value.utf8
            ends.append(bytes.count)
        }
        // The pointers live for the call, on this thread alone.
        return bytes.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return false }
            var start = 0
            var vectors: [iovec] = []
            for end in ends {
                vectors.append(iovec(iov_base: base + start, iov_len: end - start))
                start = end
            }
            return sd_journal_sendv(&vectors, Int32(vectors.count)) >= 0
        }
    }

    /// Whether standard error goes to the journal, so that entries of ``journal(_:)`` replace it.
    public static var isJournalStream: Bool {
        guard let stream = getenv("JOURNAL_STREAM") else { return false }
        var status = stat()
        guard fstat(STDERR_FILENO, &status) == 0 else { return false }
        return String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
    }
}
