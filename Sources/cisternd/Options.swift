// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Glibc
import Logging

/// What the command line and the environment say.
struct Options: Sendable, Equatable {
    /// Why a command line cannot be used.
    struct Problem: Error, Equatable { let message: String }

    var bus = Connection.Address.system
    var configurationDirectory: String
    var stateDirectory: String
    var runtimeDirectory: String
    var simulate = false
    var logLevel = Logger.Level.info
    var help = false
    var version = false

    static let usage = """
        Usage: cisternd [OPTION...]
        Manages storage pools and the volumes in them, as org.cistern1 on a D-Bus bus.

          --bus system|session|ADDRESS    bus to serve (default: system for root, session for others)
          --config-directory DIR          definitions (default: $CONFIGURATION_DIRECTORY, /etc/cistern)
          --state-directory DIR           journal of jobs (default: $STATE_DIRECTORY, /var/lib/cistern)
          --runtime-directory DIR         what lasts until the next boot (default: $RUNTIME_DIRECTORY, /run/cistern)
          --simulate                      also offer pools of type “simulated”, which are only in memory
          --log-level LEVEL               debug, info, notice, warning or error (default: info)
          --help, --version

        """

    /// - Throws: ``Problem``, one sentence.
    init(_ arguments: [String], environment: [String: String], uid: UInt32) throws(Problem) {
        let home = environment["HOME"] ?? "/"
        func directory(_ unit: String, _ root: String, _ user: String) -> String {
            // systemd may name several, separated by colons; the first is ours.
            if let given = environment[unit]?.split(separator: ":").first { return String(given) }
            return uid == 0 ? root : user
        }
        configurationDirectory = directory(
            "CONFIGURATION_DIRECTORY", "/etc/cistern", (environment["XDG_CONFIG_HOME"] ?? home + "/.config") + "/cistern")
        stateDirectory = directory(
            "STATE_DIRECTORY", "/var/lib/cistern", (environment["XDG_STATE_HOME"] ?? home + "/.local/state") + "/cistern")
        runtimeDirectory = directory(
            "RUNTIME_DIRECTORY", "/run/cistern", (environment["XDG_RUNTIME_DIR"] ?? "/run/user/\(uid)") + "/cistern")
        bus = uid == 0 ? .system : .session
        try parse(arguments)
    }

    private mutating func parse(_ arguments: [String]) throws(Problem) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            func value() throws(Problem) -> String {
                if parts.count == 2 { return parts[1] }
                guard let next = rest.popFirst() else { throw Problem(message: "Option \(parts[0]) needs a value.") }
                return next
            }
            switch parts[0] {
            case "--bus":
                let address = try value()
                bus = address == "system" ? .system : address == "session" ? .session : .custom(address)
            case "--config-directory": configurationDirectory = try value()
            case "--state-directory": stateDirectory = try value()
            case "--runtime-directory": runtimeDirectory = try value()
            case "--simulate": simulate = true
            case "--log-level":
                let text = try value()
                guard let level = Logger.Level(rawValue: text) else { throw Problem(message: "There is no log level “\(text)”.") }
                logLevel = level
            case "--help", "-h": help = true
            case "--version": version = true
            default: throw Problem(message: "There is no option \(argument); see --help.")
            }
        }
    }
}
