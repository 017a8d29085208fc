// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop

/// Prints what changes, a line for each signal, until Ctrl-C.
struct Monitor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "monitor", abstract: "Prints every change of pools, volumes and jobs as it happens.")
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let signals = try await client.connection.signals(
            sender: Client.service, path: nil, pathNamespace: Client.root, interface: nil, member: nil)
        for await signal in signals { Terminal.line(options.json ? json(signal) : plain(signal)) }
        throw Failure(.notRunning, "The connection to the bus was lost.")
    }

    private func json(_ signal: ReceivedSignal) -> String {
        JSON.object([
            ("\"Object\"", JSON.quoted(signal.path.description)), ("\"Interface\"", JSON.quoted(signal.interface)),
            ("\"Signal\"", JSON.quoted(signal.member)), ("\"Arguments\"", JSON.text(.structure(signal.body))),
        ])
    }

    private func plain(_ signal: ReceivedSignal) -> String {
        let body = signal.body
        switch signal.member {
        case "PropertiesChanged" where body.count > 1:
            let changes = (body[1].dictionary ?? [:]).sorted { $0.key < $1.key }
            return "\(signal.path) " + changes.map { "\($0.key)=\(printable(JSON.text($0.value)))" }.joined(separator: " ")
        case "InterfacesAdded": return "\(body.first?.path ?? signal.path) added"
        case "InterfacesRemoved": return "\(body.first?.path ?? signal.path) removed"
        default: return "\(signal.path) \(signal.member) " + body.map { printable(JSON.text($0)) }.joined(separator: " ")
        }
    }
}
