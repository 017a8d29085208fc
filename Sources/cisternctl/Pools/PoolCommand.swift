// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop

struct PoolCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pool", abstract: "Pools: what volumes come from.",
        subcommands: [
            PoolList.self, PoolInfo.self, PoolTypes.self, PoolSources.self, PoolDefine.self, PoolDefineXML.self, PoolEdit.self,
            PoolBuild.self, PoolStart.self, PoolStop.self, PoolRefresh.self, PoolAutostart.self, PoolXML.self, PoolDelete.self,
            PoolUndefine.self,
        ])
}

struct PoolList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists all pools.", discussion: "Example: cisternctl pool list")
    @OptionGroup var sizes: SizeOptions
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let pools = try await Client(options).objects(below: Client.pools, .pool)
        if options.json { return Terminal.line(JSON.text(of: pools)) }
        var table = Table(
            ("NAME", .left), ("TYPE", .left), ("STATE", .left), ("AUTOSTART", .left), ("CAPACITY", .right), ("ALLOCATION", .right),
            ("AVAILABLE", .right), ("VOLUMES", .right))
        for pool in pools.map(\.properties).sorted(by: { $0.text("Name") < $1.text("Name") }) {
            table.add(
                Cell(pool.text("Name")), Cell(pool.text("Type")), .state(pool.text("State")), pool.flag("Autostart") ? "yes" : "no",
                Cell(sizes.describe(pool.number("Capacity"))), Cell(sizes.describe(pool.number("Allocation"))),
                Cell(sizes.describe(pool.number("Available"))), "\(pool.count("VolumeCount"))")
        }
        Terminal.lines(table.lines(options.palette))
        if pools.isEmpty, Terminal.outputIsTerminal {
            Terminal.line("There is no pool yet; `cisternctl pool define --help` tells how to make one.", to: .messages)
        }
    }
}

struct PoolInfo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Shows everything about a pool.", discussion: "Example: cisternctl pool info images")
    @OptionGroup var sizes: SizeOptions
    @OptionGroup var pool: PoolArgument
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let pool = try await Client(options).poolObject(pool.pool)
        if options.json { return Terminal.line(JSON.text(of: pool.properties, pool.path)) }
        Terminal.lines(sheet(description(of: pool.properties), options.palette))
    }

    private func description(of pool: Properties) -> [(String, Cell)] {
        func text(_ name: String, _ key: String) -> (String, Cell) { (name, Cell(pool.text(key))) }
        func size(_ key: String) -> (String, Cell) { (key, Cell(sizes.describe(pool.number(key)))) }
        func flag(_ key: String) -> (String, Cell) { (key, pool.flag(key) ? "yes" : "no") }
        return [
            text("Name", "Name"), text("UUID", "UUID"), text("Type", "Type"), ("State", stateWithReason(pool)),
            ("Since", Cell(describeTime(pool.count("StateSince")))), flag("Autostart"), flag("Persistent"), text("Target", "TargetPath"),
            size("Capacity"), size("Allocation"), size("Available"), size("Provisioned"), ("Volumes", "\(pool.count("VolumeCount"))"),
            text("Watch", "Watch"), ("Last scan", Cell(describeTime(pool.count("LastScan")))),
        ] + (pool["Warnings"]?.strings ?? []).map { ("Warning", Cell($0, .yellow)) } + settings(pool) + limits(pool)
    }

    private func settings(_ pool: Properties) -> [(String, Cell)] {
        let settings = (pool["Settings"]?.dictionary ?? [:]).sorted { $0.key < $1.key }
        let details = (pool["Details"]?.dictionary ?? [:]).sorted { $0.key < $1.key }
        return settings.map { ("Setting", Cell("\($0.key)=\(Settings.text($0.key, $0.value))")) }
            + details.map { ("Detail", Cell("\($0.key): \(Settings.text($0.key, $0.value))")) }
    }

    private func limits(_ pool: Properties) -> [(String, Cell)] {
        let skipped = (pool["Skipped"]?.elements ?? []).compactMap(\.elements).filter { $0.count == 2 }
        return Self.impossible(pool["Capabilities"])
            + skipped.map { ("Skipped", Cell("\($0[0].text ?? ""): \($0[1].text ?? "")")) }
    }
}

extension PoolInfo {
    /// What cannot be done, a line for each reason.
    static func impossible(_ capabilities: Variant?) -> [(String, Cell)] {
        let reasons = (capabilities?.stringDictionary ?? [:]).filter { !$0.value.isEmpty }
        return Dictionary(grouping: reasons.keys.sorted()) { reasons[$0] ?? "" }.sorted { $0.key < $1.key }.map {
            ("Impossible", Cell("\($0.value.joined(separator: ", ")): \($0.key)"))
        }
    }
}

/// `degraded (the last scan failed)`.
func stateWithReason(_ object: Properties) -> Cell {
    let (state, reason) = (object.text("State"), object.text("StateReason"))
    return Cell(reason.isEmpty ? state : "\(state) (\(reason))", Palette.color(ofState: state))
}

struct PoolTypes: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "types", abstract: "Lists the types of pools, or tells what one type can do and be set to.",
        discussion: "Example: cisternctl pool types dir")
    @Argument(help: "The type; all of them without it.", completion: Completion.types) var type: String?
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let types = try await Client(options).poolTypes()
        guard let type else { return list(types.sorted { $0.key < $1.key }) }
        guard let facts = types[type] else { throw Failure.unknownType(type, types) }
        if options.json { return Terminal.line(JSON.object(JSON.members(of: facts))) }
        Terminal.lines(sheet(description(of: facts), options.palette))
    }

    private func list(_ types: [(key: String, value: Properties)]) {
        if options.json { return Terminal.line(JSON.object(types.map { ($0.key, JSON.object(JSON.members(of: $0.value))) })) }
        var table = Table(["TYPE", "AVAILABLE", "VOLUME FORMATS"])
        for (name, type) in types {
            table.add(Cell(name), availability(type), Cell((type["volume-formats"]?.strings ?? []).joined(separator: " ")))
        }
        Terminal.lines(table.lines(options.palette))
    }

    private func availability(_ type: Properties) -> Cell {
        type.flag("available") ? Cell("yes", .green) : Cell("no: \(type.text("reason"))", .yellow)
    }

    private func description(of type: Properties) -> [(String, Cell)] {
        let settings = (type["settings"]?.stringDictionary ?? [:]).sorted { $0.key < $1.key }
        return [
            ("Available", availability(type)), ("Formats", Cell((type["pool-formats"]?.strings ?? []).joined(separator: " "))),
            ("Volume formats", Cell((type["volume-formats"]?.strings ?? []).joined(separator: " "))),
        ] + settings.map { ("Setting", Cell("\($0.key): \(Settings.explain($0.value))")) }
            + PoolInfo.impossible(type["capabilities"])
    }
}

extension Failure {
    static func unknownType(_ type: String, _ known: [String: Properties]) -> Failure {
        Failure(.usage, "There is no pool type \(type); there are \(known.keys.sorted().joined(separator: ", ")).")
    }
}

struct PoolXML: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "xml", abstract: "Prints a pool's definition in libvirt's XML.",
        discussion: "Example: cisternctl pool xml images --compatible >images.xml")
    @OptionGroup var pool: PoolArgument
    @Flag(help: "Leave out what only Cistern knows.") var compatible = false
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let path = try await client.pool(pool.pool)
        let xml = try await client.xml(of: path, .pool, .flags(["compatible": compatible]))
        if options.json { return Terminal.line(JSON.object([("Object", JSON.quoted(path.description)), ("XML", JSON.quoted(xml))])) }
        Terminal.text(xml)
    }
}
