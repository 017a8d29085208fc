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
        Loop.blockSignals([SIGINT, SIGWINCH])
        Task { @LoopActor in await Cisternctl.perform() }
        exit(Loop.shared.run())
    }
}

/// The command line client of Cistern: everything it does goes over D-Bus.
struct Cisternctl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cisternctl", abstract: "Manages storage pools and the volumes in them.",
        discussion: """
            Sizes are written as 4096, 512MiB or 10G (binary units; 10GB is decimal).

            With --json every command prints JSON: objects with the names of D-Bus properties as keys, after their path as \
            "Object"; sizes are numbers of bytes, times microseconds since 1970, what nobody knows is null. A command that starts \
            a job prints the job as it ended; one that changes an object prints the object as it is then.

            Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 cisternd not running, 4 not authorized, 130 interrupted.

            Example: cisternctl pool define images dir --target /srv/images
                     cisternctl pool start images
                     cisternctl volume create images disk.qcow2 20G --format qcow2
            """,
        subcommands: [
            PoolCommand.self, VolumeCommand.self, JobCommand.self, Monitor.self, SecretCommand.self, ImportLibvirt.self,
        ])

    @OptionGroup var options: GlobalOptions

    /// Does what the command line says, then ends the process.
    static func perform() async {
        do {
            try await Interrupt.install()
            var command = try await asyncParseAsRoot(nil)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            Glibc.exit(ExitStatus.done.rawValue)
        } catch {
            let (status, message) = Failure.describe(error)
            if !message.isEmpty { Terminal.line(message, to: status == ExitStatus.done.rawValue ? .output : .messages) }
            Glibc.exit(status)
        }
    }
}

/// What Ctrl-C does: ends the program, unless a command that follows a job has something better to do.
@LoopActor
enum Interrupt {
    static var handler: (() -> Void)?
    private static var source: Source?

    /// Ctrl-C is for another program on the terminal.
    static func hold() { handler = {} }
    static func release() { handler = nil }

    /// Ends the program, the terminal as it was found.
    private static func leave() -> Never {
        HiddenInput.ended()
        if Terminal.canAsk { Terminal.line("", to: .messages) }
        exit(ExitStatus.interrupted.rawValue)
    }

    static func install() throws {
        source = try Loop.shared.onSignal(SIGINT) {
            if let handler { handler() } else { leave() }
        }
    }
}
