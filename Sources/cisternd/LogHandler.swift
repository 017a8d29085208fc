// SPDX-License-Identifier: LGPL-2.1-or-later
import EventLoop
import Glibc
import Logging

/// Writes to the journal with fields (CISTERN_POOL, CISTERN_UID, MESSAGE_ID ...), or readable lines to standard error. Safe on any thread.
struct JournalHandler: LogHandler {
    /// The level in force for all loggers; LogControl1 changes it.
    static let level = Locked(Logger.Level.info)

    var metadata = Logger.Metadata()
    var logLevel: Logger.Level {
        get { Self.level.withLock { $0 } }
        set { Self.level.withLock { $0 = newValue } }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        if ServiceManager.isJournalStream {
            var fields = [
                ("MESSAGE", event.message.description), ("PRIORITY", String(event.level.priority)), ("SYSLOG_IDENTIFIER", "cisternd"),
            ]
            for (key, value) in all { fields.append((Self.field(key), value.description)) }
            ServiceManager.journal(fields)
        } else {
            let all = all.filter { $0.key != Self.messageID }
            let details = all.isEmpty ? "" : "  " + all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
            Self.write("\(event.level.rawValue): \(event.message)\(details)\n", to: STDERR_FILENO)
        }
    }

    /// Which kind of message it is: for machines, and a field of the journal's own.
    private static let messageID = "message_id"

    private static func field(_ key: String) -> String { (key == messageID ? "" : "CISTERN_") + key.uppercased() }

    /// Writes the text, whole; gives up where nobody reads.
    static func write(_ line: String, to descriptor: Int32) {
        var rest = Array(line.utf8)
        while !rest.isEmpty {
            let written = Glibc.write(descriptor, rest, rest.count)
            if written <= 0 { return }
            rest.removeFirst(written)
        }
    }
}

extension Logger.Level {
    /// The level of syslog(3).
    var priority: Int {
        switch self {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    /// The name that systemd's log levels have.
    var systemdName: String { ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"][priority] }

    /// The level of that systemd name; nil if there is none.
    init?(systemdName: String) {
        guard let level = Self.allCases.last(where: { $0.systemdName == systemdName }) else { return nil }
        self = level
    }
}
