// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop
import Glibc

/// The main thread is the event loop's; the command runs as a task beside it and ends the process.
@main
enum Program {
    static func main() {
        // Here, where no other thread exists yet: all that come inherit it.
        Loop.blockSignals([SIGINT])
        Task { @LoopActor in await Cisternctl.perform() }
        exit(Loop.shared.run())
    }
}

/// The command line client of Cistern: everything it does goes over D-Bus.
struct Cisternctl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cisternctl", abstract: "Manages storage pools and the volumes in them.",
        discussion: """
            Sizes are written as 4096, 512MiB or 10G (binary units; 10GB is decimal). Exit codes: 0 done, 1 refused or failed, \
            2 wrong usage, 3 cisternd not running, 4 not authorized, 130 interrupted.
            """,
        subcommands: [PoolCommand.self, VolumeCommand.self, JobCommand.self, Monitor.self])

    @OptionGroup var options: GlobalOptions

    /// Does what the command line says, then ends the process.
    static func perform() async {
        do {
            try await Interrupt.install()
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            Glibc.exit(ExitStatus.done.rawValue)
        } catch {
            let (status, message) = Failure.describe(error)
            if status == ExitStatus.done.rawValue { Terminal.line(message) } else if !message.isEmpty { Terminal.complain(message) }
            Glibc.exit(status)
        }
    }
}

/// Options of every command; they may stand anywhere on the line.
struct GlobalOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The bus: system, session, or an address. Default: $CISTERN_BUS, else system.", valueName: "bus"))
    var bus: String?

    @Flag(help: "Print JSON instead of text for people.")
    var json = false

    /// The bus that was asked for.
    var address: Connection.Address {
        switch bus ?? Terminal.environment("CISTERN_BUS") ?? "system" {
        case "system", "": .system
        case "session": .session
        case let address: .custom(address)
        }
    }
}

/// For commands that ask before they do something that cannot be undone.
struct Confirmation: ParsableArguments {
    @Flag(name: [.short, .long], help: "Do not ask.")
    var yes = false
}

/// For commands that start a job.
struct JobOptions: ParsableArguments {
    @Flag(help: "Do not follow the job: print its path (or / when there was nothing to wait for) and leave.")
    var noWait = false
}

/// What Ctrl-C does: ends the program, unless a command that follows a job has something better to do.
@LoopActor
enum Interrupt {
    static var handler: (() -> Void)?
    private static var source: Source?

    static func install() throws {
        source = try Loop.shared.onSignal(SIGINT) {
            if let handler { handler() } else { exit(ExitStatus.interrupted.rawValue) }
        }
    }
}

/// A size argument: `10G`.
struct Size: ExpressibleByArgument {
    let bytes: UInt64

    init?(argument: String) {
        guard let bytes = Sizes.parse(argument) else { return nil }
        self.bytes = bytes
    }
}

/// Permission bits in octal: `0640`.
struct Mode: ExpressibleByArgument {
    let bits: UInt32

    init?(argument: String) {
        guard let bits = UInt32(argument, radix: 8) else { return nil }
        self.bits = bits
    }
}
