// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop

struct SecretCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secret", abstract: "Secrets that pools need to reach their servers; they can be set, but never read.",
        subcommands: [SecretList.self, SecretSet.self, SecretRemove.self])
}

struct SecretList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists for what secrets are kept.", discussion: "Example: cisternctl secret list")
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let usages = try await client.call(Client.root, .manager, "ListSecrets", Properties(), returning: [String].self).sorted()
        if options.json { return Terminal.line(JSON.array(usages.map { JSON.quoted($0) })) }
        Terminal.lines(usages.map(printable))
    }
}

struct SecretSet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Keeps a secret under a name, which pools refer to as source.secret.",
        discussion: "It is typed unseen, or read from a file to its end.\n\nExample: cisternctl secret set san-password")
    @Argument(help: "What the secret is for.") var usage: String
    @Option(help: ArgumentHelp("The file that holds it; - asks, or reads standard input.", valueName: "file"), completion: .file())
    var file = "-"
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let secret = try await openSecret(file, asking: "Secret for \(usage):")
        try await client.call(Client.root, .manager, "SetSecret", usage, secret, Properties())
        if options.json { return Terminal.line(JSON.object([("Usage", JSON.quoted(usage))])) }
        Terminal.line(printable("The secret for \(usage) is kept."))
    }
}

struct SecretRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Forgets a secret.", discussion: "Example: cisternctl secret remove san-password")
    @OptionGroup var confirmation: Confirmation
    @Argument(help: "What the secret is for.", completion: Completion.secrets) var usage: String
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        try await confirm("Forget the secret for \(usage)? Pools that need it cannot start without.", confirmation)
        try await client.call(Client.root, .manager, "RemoveSecret", usage, Properties())
        if options.json { return Terminal.line(JSON.object([("Usage", JSON.quoted(usage))])) }
        Terminal.line(printable("The secret for \(usage) is forgotten."))
    }
}
