// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc

/// The process: command line in, exit status out.
enum Program {
    static let version = "0.1.0"

    private static let variables = [
        "HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "CONFIGURATION_DIRECTORY", "STATE_DIRECTORY", "RUNTIME_DIRECTORY",
    ]

    /// Kept for as long as the process runs.
    @LoopActor private static var daemon: Daemon?

    /// Runs the daemon on this thread until it ends.
    ///
    /// - Returns: 0 after a clean end, 1 if the service could not start or lost its bus, 2 for a wrong command line.
    static func run() -> Int32 {
        var environment: [String: String] = [:]
        for name in variables { if let value = getenv(name) { environment[name] = String(cString: value) } }
        do throws(Options.Problem) {
            let options = try Options(Array(CommandLine.arguments.dropFirst()), environment: environment, uid: geteuid())
            if options.help { return say(Options.usage) }
            if options.version { return say("cisternd \(version)\n") }
            return serve(options)
        } catch {
            JournalHandler.write("cisternd: \(error.message)\n", to: STDERR_FILENO)
            return 2
        }
    }

    private static func serve(_ options: Options) -> Int32 {
        JournalHandler.level.withLock { $0 = options.logLevel }
        Memory.useOneHeap()
        do throws(LoopError) { try GlobalPool.install() } catch {
            JournalHandler.write("cisternd: \(error)\n", to: STDERR_FILENO)
            return 1
        }
        Task { @LoopActor in
            let started = Daemon(options)
            daemon = started
            await started.start()
        }
        return Loop.shared.run()
    }

    private static func say(_ text: String) -> Int32 {
        JournalHandler.write(text, to: STDOUT_FILENO)
        return 0
    }
}
