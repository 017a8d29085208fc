// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus

/// What cisternctl's exit code says.
enum ExitStatus: Int32 {
    case done = 0
    /// Refused by the service, or the job failed or was cancelled.
    case failed = 1
    case usage = 2
    /// No bus, or nobody on it is org.cistern1.
    case notRunning = 3
    case notAuthorized = 4
    /// Ctrl-C, the way shells count it; what was started goes on.
    case interrupted = 130
}

/// Why a command ends early: an exit code and one sentence for standard error.
struct Failure: Error, Sendable {
    let status: ExitStatus
    let message: String

    init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }

    /// An error of the bus or of the service. Its message stands alone; its name chooses the exit code.
    init(name: String, message: String) {
        status = Failure.status(of: name)
        self.message =
            switch status {
            case .notRunning: "cisternd is not running, start it with `systemctl start cisternd`: \(message)"
            default: message.isEmpty ? name : message
            }
    }

    private static func status(of name: String) -> ExitStatus {
        let standard = "org.freedesktop.DBus.Error."
        guard name.hasPrefix(standard) else { return .failed }
        switch name.dropFirst(standard.count) {
        case "AccessDenied", "InteractiveAuthorizationRequired", "AuthFailed": return .notAuthorized
        case "ServiceUnknown", "NameHasNoOwner", "NoServer", "Disconnected", "NoReply", "FileNotFound": return .notRunning
        case _ where name.hasPrefix(standard + "Spawn."): return .notRunning
        default: return .failed
        }
    }

    /// Any error a command may end with, as the exit code and what to say.
    static func describe(_ error: any Error) -> (status: Int32, message: String) {
        switch error {
        case let failure as Failure: return (failure.status.rawValue, failure.message)
        case let left as JobGoesOn: return (left.failure.status.rawValue, left.failure.message)
        case let error as SystemError: return (ExitStatus.failed.rawValue, "The system refused: \(error.text).")
        case let error as BusError:
            let failure = Failure(name: error.name, message: error.message)
            return (failure.status.rawValue, failure.message)
        default:
            let isUsage = Cisternctl.exitCode(for: error) != .success
            return (isUsage ? ExitStatus.usage.rawValue : ExitStatus.done.rawValue, Cisternctl.fullMessage(for: error))
        }
    }
}
