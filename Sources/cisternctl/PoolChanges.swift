// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop
import Glibc

struct PoolDefine: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "define", abstract: "Defines a pool, from arguments or from libvirt's XML.",
        discussion: "Example: cisternctl pool define images dir --target /srv/images --autostart")

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The new pool's name; not with --xml.") var name: String?
    @Argument(help: "Its type; see `cisternctl pool types`.") var type: String?
    @Option(help: ArgumentHelp("Short for --set target.path=PATH.", valueName: "path")) var target: String?
    @Option(name: .customLong("set"), help: ArgumentHelp("A setting; may be repeated.", valueName: "key=value")) var settings:
        [Assignment] = []
    @Option(help: ArgumentHelp("Take the definition from a file; - is standard input.", valueName: "file")) var xml: String?
    @Flag(help: "Start it whenever the machine starts.") var autostart = false
    @Flag(help: "Keep nothing on disk: the pool is forgotten when it stops.") var transient = false
    @Flag(help: "Replace the definition of an inactive pool.") var replace = false
    @Flag(help: "Only say whether the definition is good.") var validateOnly = false

    func validate() throws {
        guard (xml == nil) == (name != nil && type != nil) else { throw ValidationError("Give a name and a type, or --xml.") }
        if xml != nil, !settings.isEmpty || target != nil { throw ValidationError("With --xml, the settings stand in the XML.") }
    }

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let flags = ["autostart": autostart, "transient": transient, "replace": replace, "validate-only": validateOnly]
        let arguments = flags.filter(\.value).mapValues { Variant.bool($0) }
        let path: ObjectPath
        if let xml {
            path = try await client.call(
                Client.root, .manager, "DefinePoolXML", try readFile(xml), arguments, returning: ObjectPath.self)
        } else {
            path = try await define(client, name ?? "", type ?? "", arguments)
        }
        if options.json { return Terminal.line(JSON.object([("\"Object\"", JSON.quoted(path.description))])) }
        Terminal.line(validateOnly ? "The definition is good." : "Defined \(path).")
    }

    @LoopActor
    private func define(_ client: Client, _ name: String, _ type: String, _ arguments: Properties) async throws -> ObjectPath {
        var assignments = settings
        if let target { assignments.append(Assignment(key: "target.path", value: try absolute(target))) }
        let known = try await client.poolTypes()
        guard let description = known[type] else {
            throw Failure(.failed, "There is no pool type \(type); there are: \(known.keys.sorted().joined(separator: ", ")).")
        }
        let values = try Settings.parse(assignments, types: description["settings"]?.stringDictionary ?? [:])
        return try await client.call(Client.root, .manager, "DefinePool", name, type, values, arguments, returning: ObjectPath.self)
    }
}

struct PoolStart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "start", abstract: "Starts a pool.")
    @OptionGroup var options: GlobalOptions
    @OptionGroup var job: JobOptions
    @Argument(help: "The pool.") var name: String

    @LoopActor
    func run() async throws {
        let performer = try Performer(options, job)
        try await performer.perform(name, done: "Pool \(name) is started.") {
            try await performer.client.start(try await performer.client.pool(name), .pool, "Start", Properties())
        }
    }
}

struct PoolStop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "stop", abstract: "Stops a pool; its volumes stay where they are.")
    @OptionGroup var options: GlobalOptions
    @OptionGroup var job: JobOptions
    @Argument(help: "The pool.") var name: String

    @LoopActor
    func run() async throws {
        let performer = try Performer(options, job)
        try await performer.perform(name, done: "Pool \(name) is stopped.") {
            try await performer.client.start(try await performer.client.pool(name), .pool, "Stop", Properties())
        }
    }
}

struct PoolRefresh: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "refresh", abstract: "Scans a pool again; seldom needed.")
    @OptionGroup var options: GlobalOptions
    @OptionGroup var job: JobOptions
    @Argument(help: "The pool.") var name: String

    @LoopActor
    func run() async throws {
        let performer = try Performer(options, job)
        try await performer.perform(name, done: "Pool \(name) is scanned.") {
            try await performer.client.start(try await performer.client.pool(name), .pool, "Refresh", Properties())
        }
    }
}

struct PoolBuild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build", abstract: "Makes what a pool needs before its first start: a directory, a file system, a volume group.")
    @OptionGroup var options: GlobalOptions
    @OptionGroup var job: JobOptions
    @OptionGroup var confirmation: Confirmation
    @Argument(help: "The pool.") var name: String
    @Flag(help: "Build even where there is data already, which is lost.") var overwrite = false

    @LoopActor
    func run() async throws {
        let performer = try Performer(options, job)
        if overwrite { try await confirm("Build pool \(name) over whatever data is there?", confirmation) }
        let arguments: Properties = overwrite ? ["overwrite": .bool(true)] : [:]
        try await performer.perform(name, done: "Pool \(name) is built.") {
            try await performer.client.start(try await performer.client.pool(name), .pool, "Build", arguments)
        }
    }
}

struct PoolDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Deletes what a stopped pool is made of; `undefine` only forgets the pool.")
    @OptionGroup var options: GlobalOptions
    @OptionGroup var job: JobOptions
    @OptionGroup var confirmation: Confirmation
    @Argument(help: "The pool.") var name: String

    @LoopActor
    func run() async throws {
        let performer = try Performer(options, job)
        let path = try await performer.client.pool(name)
        let pool = try await performer.client.properties(path, .pool)
        try await confirm("Delete the storage of pool \(name) (\(pool.text("TargetPath")))?", confirmation)
        let arguments: Properties = ["confirm": .string(pool.text("UUID"))]
        try await performer.perform(name, done: "The storage of pool \(name) is deleted.") {
            try await performer.client.start(path, .pool, "Delete", arguments)
        }
    }
}

struct PoolUndefine: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "undefine", abstract: "Forgets a stopped pool; its data is not touched.")
    @OptionGroup var options: GlobalOptions
    @OptionGroup var confirmation: Confirmation
    @Argument(help: "The pool.") var name: String

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let path = try await client.pool(name)
        try await confirm("Forget the definition of pool \(name)? Its data stays.", confirmation)
        try await client.call(path, .pool, "Undefine", Properties())
        if !options.json { Terminal.line("Pool \(name) is forgotten.") }
    }
}

struct PoolAutostart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "autostart", abstract: "Whether a pool starts whenever the machine does.")
    enum Switch: String, ExpressibleByArgument, CaseIterable { case on, off }

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The pool.") var name: String
    @Argument(help: "on or off.") var state: Switch

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        try await client.call(try await client.pool(name), .pool, "SetAutostart", state == .on, Properties())
        if !options.json { Terminal.line("Autostart of pool \(name) is \(state.rawValue).") }
    }
}
