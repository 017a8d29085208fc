// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop
import Glibc

/// Takes over libvirt's pools; libvirt and its files are only read.
struct ImportLibvirt: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import-libvirt", abstract: "Defines the pools that libvirt has on this machine.",
        discussion: """
            Reads the definitions in a directory and the autostart links beside them. What exists already or is refused is named with \
            the reason, and the others go on. libvirt itself is not touched: stop its pools before you start ours.

            Example: cisternctl import-libvirt --dry-run
            """)
    @Argument(help: "Where the definitions are.", completion: .directory) var directory = "/etc/libvirt/storage"
    @Flag(help: "Define nothing, only say what would happen.") var dryRun = false
    @OptionGroup var options: GlobalOptions

    /// What became of one definition.
    private struct Outcome {
        let file: String
        let state: String
        var autostart = false
        var object = ObjectPath.root
        var error: (name: String, message: String)?
    }

    @LoopActor
    func run() async throws {
        guard access(directory, R_OK | X_OK) == 0 else {
            throw Failure(.failed, "\(directory) cannot be read: \(SystemError.last.text).")
        }
        let client = try Client(options)
        var outcomes: [Outcome] = []
        for file in files(in: directory, suffix: ".xml") { outcomes.append(try await take(file, client)) }
        report(outcomes)
        let failed = outcomes.filter { $0.error != nil }.count
        if failed > 0 { throw Failure(.failed, "\(failed) of \(outcomes.count) pools could not be taken over.") }
    }

    @LoopActor
    private func take(_ file: String, _ client: Client) async throws -> Outcome {
        let name = String(file[(file.lastIndex(of: "/").map { file.index(after: $0) } ?? file.startIndex)...])
        let isLinked = access("\(directory)/autostart/\(name)", F_OK) == 0
        let how = Properties.flags(["autostart": isLinked, "validate-only": dryRun])
        do {
            let xml = try await readFile(file)
            let path = try await client.call(Client.root, .manager, "DefinePoolXML", xml, how, returning: ObjectPath.self)
            return Outcome(file: file, state: dryRun ? "good" : "defined", autostart: isLinked, object: path)
        } catch let error as BusError where Failure(name: error.name, message: "").status == .failed {
            let exists = error.name == "org.cistern1.Error.Exists"
            return Outcome(
                file: file, state: exists ? "exists" : "refused", autostart: isLinked, error: (error.name, error.message))
        } catch let failure as Failure {
            return Outcome(file: file, state: "refused", autostart: isLinked, error: ("", failure.message))
        }
    }

    private func report(_ outcomes: [Outcome]) {
        if options.json {
            let objects = outcomes.map { outcome in
                JSON.object([
                    ("Object", JSON.quoted(outcome.object.description)), ("File", JSON.quoted(outcome.file)),
                    ("State", JSON.quoted(outcome.state)), ("Autostart", "\(outcome.autostart)"),
                    ("Error", JSON.quoted(outcome.error?.name ?? "")), ("ErrorMessage", JSON.quoted(outcome.error?.message ?? "")),
                ])
            }
            return Terminal.line(JSON.array(objects))
        }
        if outcomes.isEmpty { return Terminal.line("There is no definition in \(directory).") }
        var table = Table(["FILE", "STATE", "AUTOSTART", "REASON"])
        for outcome in outcomes {
            table.add(Cell(outcome.file), .state(outcome.state), outcome.autostart ? "yes" : "no", Cell(outcome.error?.message ?? ""))
        }
        Terminal.lines(table.lines(options.palette))
    }
}
