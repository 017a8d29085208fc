// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop

struct VolumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "volume", abstract: "Volumes: what pools hold.",
        subcommands: [
            VolumeList.self, VolumeInfo.self, VolumePath.self, VolumeXML.self, VolumeHolders.self, VolumeCreate.self, VolumeClone.self,
            VolumeResize.self, VolumeRename.self, VolumeRebase.self, VolumePermissions.self, VolumeMetadata.self, VolumeUpload.self,
            VolumeDownload.self, VolumeWipe.self, VolumeDelete.self,
        ])
}

struct VolumeList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the volumes of a pool, or of all pools.",
        discussion: "Example: cisternctl volume list images --format qcow2")
    private static let fields = ["Pool", "Name", "Format", "State", "Capacity", "Allocation", "Path"]

    @OptionGroup var sizes: SizeOptions
    @Argument(help: "The pool; all of them without it.", completion: Completion.pools) var pool: String?
    @Option(help: "Only volumes of this format.", completion: Completion.formats) var format: String?
    @Option(help: "Only volumes in this state: ready, allocating or error.", completion: .list(["ready", "allocating", "error"]))
    var state: String?
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        var filter: Properties = [:]
        if let pool { filter["Pool"] = .path(try await client.pool(pool)) }
        filter.set("Format", format.map { .string($0) })
        filter.set("State", state.map { .string($0) })
        let volumes = try await client.volumes(where: filter, fields: options.json ? nil : Self.fields)
        if options.json { return Terminal.line(JSON.text(of: volumes)) }
        var table = Table(
            ("POOL", .left), ("NAME", .left), ("FORMAT", .left), ("STATE", .left), ("CAPACITY", .right), ("ALLOCATION", .right),
            ("PATH", .left))
        let pools = try await client.poolNames()
        for volume in volumes.map(\.properties) {
            table.add(
                Cell(volume["Pool"]?.path.flatMap { pools[$0] } ?? ""), Cell(volume.text("Name")), Cell(volume.text("Format")),
                .state(volume.text("State")), Cell(sizes.describe(volume.number("Capacity"))),
                Cell(sizes.describe(volume.number("Allocation"))), Cell(volume.text("Path")))
        }
        Terminal.lines(table.lines(options.palette))
    }
}

struct VolumeInfo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Shows everything about a volume.", discussion: "Example: cisternctl volume info images disk.qcow2")
    @OptionGroup var sizes: SizeOptions
    @OptionGroup var volume: VolumeArgument
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let object = try await Client(options).volume(volume)
        if options.json { return Terminal.line(JSON.text(of: object.properties, object.path)) }
        Terminal.lines(sheet(description(of: object.properties), options.palette))
    }

    private func description(of object: Properties) -> [(String, Cell)] {
        func text(_ name: String, _ key: String) -> (String, Cell) { (name, Cell(object.text(key))) }
        func size(_ key: String) -> (String, Cell) { (key, Cell(sizes.describe(object.number(key)))) }
        func time(_ name: String, _ key: String) -> (String, Cell) { (name, Cell(describeTime(object.count(key)))) }
        let source = object.text("FormatSource")
        return [
            text("Name", "Name"), ("Pool", Cell(volume.pool)), text("Type", "Type"), text("Key", "Key"), text("Path", "Path"),
            ("Format", Cell(object.text("Format") + (source.isEmpty ? "" : " (\(source))"))), ("State", stateWithReason(object)),
            size("Capacity"), size("Allocation"), size("Physical"), ("Mode", Cell(octal(object.count("Mode")))),
            ("Owner", "\(object.count("Owner")):\(object.count("Group"))"), time("Changed", "ModifyTime"), time("Made", "BirthTime"),
            text("Backing", "BackingPath"), text("Encryption", "Encryption"), text("Label", "SecurityLabel"),
        ] + (object["Dependents"]?.paths ?? []).map { ("Overlay", Cell(describe($0))) } + more(object)
    }

    private func more(_ object: Properties) -> [(String, Cell)] {
        let words = (object["Metadata"]?.stringDictionary ?? [:]).sorted { $0.key < $1.key }
        let details = (object["Details"]?.dictionary ?? [:]).sorted { $0.key < $1.key }
        return words.map { ("Metadata", Cell("\($0.key)=\($0.value)")) }
            + details.map { ("Detail", Cell("\($0.key): \(Settings.text($0.key, $0.value))")) }
    }
}

/// Permission bits with four digits.
func octal(_ bits: UInt64) -> String {
    let digits = String(bits, radix: 8)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}

struct VolumePath: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "path", abstract: "Prints where a volume's data is reached.",
        discussion: "Example: qemu-img info \"$(cisternctl volume path images disk.qcow2)\"")
    @OptionGroup var volume: VolumeArgument
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let object = try await Client(options).volume(volume)
        let path = object.properties.text("Path")
        if options.json {
            return Terminal.line(JSON.object([("Object", JSON.quoted(object.path.description)), ("Path", JSON.quoted(path))]))
        }
        guard !path.isEmpty else {
            throw Failure(.failed, "Volume \(volume.name) has no path: it is \(object.properties.text("State")); wait until it is ready.")
        }
        Terminal.line(path)
    }
}

struct VolumeXML: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "xml", abstract: "Prints a volume in libvirt's XML.", discussion: "Example: cisternctl volume xml images disk.qcow2")
    @OptionGroup var volume: VolumeArgument
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let object = try await client.volume(volume)
        let xml = try await client.xml(of: object.path, .volume, object.keyed())
        if options.json {
            return Terminal.line(JSON.object([("Object", JSON.quoted(object.path.description)), ("XML", JSON.quoted(xml))]))
        }
        Terminal.text(xml)
    }
}

struct VolumeHolders: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "holders", abstract: "Tells who uses a volume: processes, devices, other volumes, jobs.",
        discussion: "Example: cisternctl volume holders images disk.qcow2")
    @OptionGroup var volume: VolumeArgument
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let object = try await client.volume(volume)
        let holders = try await client.call(object.path, .volume, "GetHolders", object.keyed(), returning: [Properties].self)
        if options.json { return Terminal.line(JSON.array(holders.map { JSON.object(JSON.members(of: $0)) })) }
        if holders.isEmpty { return Terminal.line("Nobody uses volume \(printable(volume.name.description)).") }
        var table = Table(("KIND", .left), ("PROCESS", .right), ("COMMAND", .left), ("OBJECT", .left), ("PATH", .left))
        for holder in holders {
            table.add(
                Cell(holder.text("kind")), Cell(holder["pid"]?.unsigned.map { "\($0)" } ?? ""), Cell(holder.text("command")),
                Cell(holder["object"]?.path.map { $0 == .root ? "" : describe($0) } ?? ""), Cell(holder.text("path")))
        }
        Terminal.lines(table.lines(options.palette))
    }
}
