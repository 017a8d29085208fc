// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop

struct PoolDefine: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "define", abstract: "Defines a pool by its settings.",
        discussion: """
            Example: cisternctl pool define images dir --target /srv/images
                     cisternctl pool define n netfs --host nas --source-path /x --target /x
                     cisternctl pool define v logical --device /dev/sdb --set source.name=v
            """)

    @Argument(help: "The new pool's name.") var name: String
    @Argument(help: "Its type; see `cisternctl pool types`.", completion: Completion.types) var type: String
    @Option(help: ArgumentHelp("Where its volumes are found.", valueName: "path"), completion: .directory) var target: String?
    @OptionGroup var source: SourceOptions
    @OptionGroup var permissions: PermissionOptions
    @Option(help: ArgumentHelp("The format of new volumes.", valueName: "format"), completion: Completion.formats) var volumeFormat: String?
    @OptionGroup var how: DefineOptions
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let types = try await client.poolTypes()
        guard let facts = types[type] else { throw Failure.unknownType(type, types) }
        let settings = try Settings.parse(source.assignments, try flags(), types: facts["settings"]?.stringDictionary ?? [:])
        let path = try await client.call(
            Client.root, .manager, "DefinePool", name, type, settings, how.properties, returning: ObjectPath.self)
        try await how.report(path, client, options)
    }

    private func flags() throws -> [Setting] {
        let mode = permissions.mode.map { ["0" + String($0.bits, radix: 8)] }
        return source.settings + [
            Setting("target.path", try target.map { [try absolute($0)] } ?? []), Setting("target.mode", mode ?? []),
            Setting("target.owner", permissions.owner.map { ["\($0.id)"] } ?? []),
            Setting("target.group", permissions.group.map { ["\($0.id)"] } ?? []),
            Setting("volume.format", volumeFormat.map { [$0] } ?? []),
        ]
    }
}

struct PoolDefineXML: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "define-xml", abstract: "Defines a pool by libvirt's pool XML.",
        discussion: "Example: virsh pool-dumpxml images | cisternctl pool define-xml -")

    @Argument(help: "A file with the XML; - is standard input.", completion: .file(extensions: ["xml"])) var file: String
    @OptionGroup var how: DefineOptions
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let xml = try await readFile(file)
        let client = try Client(options)
        let path = try await client.call(
            Client.root, .manager, "DefinePoolXML", xml, how.properties, returning: ObjectPath.self)
        try await how.report(path, client, options)
    }
}

struct PoolSources: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sources", abstract: "Looks for what pools of a type could be made of.",
        discussion: "Example: cisternctl pool sources netfs --host nfs.example")

    @Argument(help: "The type; see `cisternctl pool types`.", completion: Completion.types) var type: String
    @OptionGroup var source: SourceOptions
    @Option(help: ArgumentHelp("How long to look, at most; 20 if not given.", valueName: "seconds")) var timeout: UInt32?
    @OptionGroup var options: GlobalOptions

    func validate() throws {
        if let timeout, !(1...4000).contains(timeout) { throw ValidationError("--timeout wants 1 to 4000 seconds.") }
    }

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let types = try await client.poolTypes()
        guard let facts = types[type] else { throw Failure.unknownType(type, types) }
        let place = try Settings.parse(source.assignments, source.settings, types: facts["settings"]?.stringDictionary ?? [:])
        let limit: Properties = timeout.map { ["timeout": .uint32($0 * 1_000_000)] } ?? [:]
        let sources = try await client.call(
            Client.root, .manager, "FindPoolSources", type, place, limit, returning: [Properties].self,
            timeout: .seconds(Int(timeout ?? 20) + 100))
        if options.json { return Terminal.line(JSON.array(sources.map { JSON.object(JSON.members(of: $0)) })) }
        let keys = Set(sources.flatMap(\.keys)).sorted()
        var table = Table(keys.map { $0.uppercased() })
        for source in sources { table.add(keys.map { key in Cell(source[key].map { Settings.text(key, $0) } ?? "") }) }
        Terminal.lines(sources.isEmpty ? ["Nothing was found that a pool of type \(type) could be made of."] : table.lines(options.palette))
    }
}
