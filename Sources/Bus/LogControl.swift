// SPDX-License-Identifier: LGPL-2.1-or-later
internal import EventLoop

/// org.freedesktop.LogControl1, by which `systemctl service-log-level` and `service-log-target` change a running service.
public struct LogControl: Sendable {
    private let identifier: String
    private let level: @LoopActor () -> String
    private let setLevel: @LoopActor (String) throws -> Void
    private let target: @LoopActor () -> String
    private let setTarget: @LoopActor (String) throws -> Void

    /// Levels are the names of syslog, "emerg" to "debug"; targets are "journal", "console" and so on. A setter throws for what it does
    /// not know.
    public init(
        identifier: String, level: @escaping @LoopActor () -> String, setLevel: @escaping @LoopActor (String) throws -> Void,
        target: @escaping @LoopActor () -> String, setTarget: @escaping @LoopActor (String) throws -> Void
    ) {
        self.identifier = identifier
        self.level = level
        self.setLevel = setLevel
        self.target = target
        self.setTarget = setTarget
    }

    public static let path: ObjectPath = "/org/freedesktop/LogControl1"

    /// `access` says who may change level and target.
    public static func interface(allow access: Access) -> Interface<LogControl> {
        Interface("org.freedesktop.LogControl1", "What the service logs, and where to.") {
            WritableProperty(
                "LogLevel", .silent, "The least important level that is logged, as syslog names it.", allow: access, get: { $0.level() },
                set: { try $0.setLevel($1) })
            WritableProperty(
                "LogTarget", .silent, "Where messages go: journal or console.", allow: access, get: { $0.target() },
                set: { try $0.setTarget($1) })
            Property("SyslogIdentifier", .silent, "The name in front of the messages.") { $0.identifier }
        }
    }
}

extension ObjectServer {
    /// Exports a LogControl at the path where systemd looks for it.
    public func export(_ control: LogControl, allow access: Access) {
        export(control, at: LogControl.path, [LogControl.interface(allow: access)])
    }
}
