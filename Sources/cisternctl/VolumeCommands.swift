// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop

struct VolumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "volume", abstract: "Volumes: what pools hold.",
        subcommands: [VolumeList.self, VolumeInfo.self, VolumeCreate.self, VolumeResize.self, VolumeRename.self, VolumeDelete.self])
}

struct VolumeList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists the volumes of a pool, or of all pools.")
    @OptionGroup var options: GlobalOptions
    @Argument(help: "The pool; all of them without it.") var pool: String?

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        var path: ObjectPath?
        if let pool { path = try await client.pool(pool) }
        let volumes = try await client.volumes(inPool: path)
        if options.json { return Terminal.line(JSON.text(of: volumes)) }
        var table = Table(
            ("POOL", .left), ("NAME", .left), ("FORMAT", .left), ("STATE", .left), ("CAPACITY", .right), ("ALLOCATION", .right),
            ("PATH", .left))
        let pools = try await client.poolNames()
        for volume in volumes.map(\.properties) {
            table.add(
                volume["Pool"]?.path.flatMap { pools[$0] } ?? "", volume.text("Name"), volume.text("Format"), volume.text("State"),
                volume.size("Capacity"),
                volume.size("Allocation"), volume.text("Path"))
        }
        Terminal.lines(table.lines)
    }
}

struct VolumeInfo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "info", abstract: "Shows everything about a volume.")
    @OptionGroup var options: GlobalOptions
    @Argument(help: "The pool.") var pool: String
    @Argument(help: "The volume.") var name: String
    @Flag(help: "Print the volume's XML, as libvirt writes it.") var xml = false

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let path = try await client.volume(name, inPool: pool)
        if xml { return Terminal.text(try await client.call(path, .volume, "GetXML", Properties(), returning: String.self)) }
        let volume = try await client.properties(path, .volume)
        if options.json { return Terminal.line(JSON.text(of: volume, path)) }
        Terminal.lines(sheet(description(of: volume)))
    }

    private func description(of volume: Properties) -> [(String, String)] {
        var rows = [
            ("Name", volume.text("Name")), ("Pool", pool), ("Type", volume.text("Type")), ("Key", volume.text("Key")),
            ("Path", volume.text("Path")), ("Format", "\(volume.text("Format")) (\(volume.text("FormatSource")))"),
            ("State", withReason(volume)), ("Capacity", volume.size("Capacity")), ("Allocation", volume.size("Allocation")),
            ("Mode", String(volume["Mode"]?.unsigned ?? 0, radix: 8)),
            ("Owner", "\(volume["Owner"]?.unsigned ?? 0):\(volume["Group"]?.unsigned ?? 0)"),
        ]
        let optional = [("Backing", "BackingPath"), ("Encryption", "Encryption"), ("Label", "SecurityLabel")]
        for (title, key) in optional where !volume.text(key).isEmpty { rows.append((title, volume.text(key))) }
        for dependent in volume["Dependents"]?.paths ?? [] { rows.append(("Dependent", dependent.description)) }
        for (key, value) in (volume["Metadata"]?.stringDictionary ?? [:]).sorted(by: { $0.key < $1.key }) { rows.append((key, value)) }
        return rows
    }
}

struct VolumeCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Makes a volume.",
        discussion: "Example: cisternctl volume create images big 4G --allocation full")
    @OptionGroup var options: GlobalOptions
    @OptionGroup var job: JobOptions
    @Argument(help: "The pool.") var pool: String
    @Argument(help: "The new volume's name.") var name: String
    @Argument(help: "Its capacity: 512MiB, 10G.") var size: Size
    @Option(help: "sparse, metadata, falloc (reserved) or full (zeros written).") var allocation: String?
    @Option(help: "raw, or what `cisternctl pool types` lists.") var format: String?
    @Option(help: ArgumentHelp("Permission bits in octal.", valueName: "mode")) var mode: Mode?
    @Option(help: "The user id that owns it.") var owner: UInt32?
    @Option(help: "Its group id.") var group: UInt32?
    @Option(name: .customLong("metadata"), help: ArgumentHelp("A word of yours about it; may be repeated.", valueName: "key=value"))
    var metadata: [Assignment] = []

    @LoopActor
    func run() async throws {
        let performer = try Performer(options, job)
        try await performer.perform(name, done: "Volume \(name) of \(Sizes.describe(size.bytes)) is there.") {
            let pool = try await performer.client.pool(pool)
            return try await performer.client.call(
                pool, .pool, "CreateVolume", name, size.bytes, arguments, returning: ObjectPath.self, ObjectPath.self
            ).1
        }
    }

    private var arguments: Properties {
        var arguments: Properties = [:]
        arguments.set("allocation", allocation.map { .string($0) })
        arguments.set("format", format.map { .string($0) })
        arguments.set("mode", mode.map { .uint32($0.bits) })
        arguments.set("owner", owner.map { .uint32($0) })
        arguments.set("group", group.map { .uint32($0) })
        if !metadata.isEmpty { arguments["metadata"] = .dictionary(Dictionary(metadata.map { ($0.key, $0.value) }) { $1 }) }
        return arguments
    }
}

struct VolumeResize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "resize", abstract: "Gives a volume another capacity.")
    @OptionGroup var options: GlobalOptions
    @OptionGroup var job: JobOptions
    @OptionGroup var confirmation: Confirmation
    @Argument(help: "The pool.") var pool: String
    @Argument(help: "The volume.") var name: String
    @Argument(help: "The new capacity.") var size: Size
    @Flag(help: "Allow a smaller size: what lies behind it is lost.") var allowShrink = false
    @Flag(help: "Reserve the space of what is added.") var allocate = false

    @LoopActor
    func run() async throws {
        let performer = try Performer(options, job)
        let path = try await performer.client.volume(name, inPool: pool)
        let before = try await performer.client.properties(path, .volume)
        if allowShrink && size.bytes < before.number("Capacity") {
            try await confirm(
                "Cut volume \(name) from \(before.size("Capacity")) to \(Sizes.describe(size.bytes))? What lies behind is lost.",
                confirmation)
        }
        let flags = ["allow-shrink": allowShrink, "allocate": allocate].filter(\.value).mapValues { Variant.bool($0) }
        try await performer.perform(name, done: "Volume \(name) has \(Sizes.describe(size.bytes)).") {
            try await performer.client.start(path, .volume, "Resize", size.bytes, flags)
        }
    }
}

struct VolumeRename: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "rename", abstract: "Gives a volume another name in its pool.")
    @OptionGroup var options: GlobalOptions
    @Argument(help: "The pool.") var pool: String
    @Argument(help: "The volume.") var name: String
    @Argument(help: "Its new name.") var newName: String

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let path = try await client.volume(name, inPool: pool)
        let renamed = try await client.call(path, .volume, "Rename", newName, Properties(), returning: ObjectPath.self)
        if options.json { return Terminal.line(JSON.object([("\"Object\"", JSON.quoted(renamed.description))])) }
        Terminal.line("Volume \(name) is now \(newName).")
    }
}

struct VolumeDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "delete", abstract: "Deletes a volume and all that is in it.")
    @OptionGroup var options: GlobalOptions
    @OptionGroup var job: JobOptions
    @OptionGroup var confirmation: Confirmation
    @Argument(help: "The pool.") var pool: String
    @Argument(help: "The volume.") var name: String
    @Option(help: "Delete it only if it still has this key.") var key: String?

    @LoopActor
    func run() async throws {
        let performer = try Performer(options, job)
        let path = try await performer.client.volume(name, inPool: pool)
        let volume = try await performer.client.properties(path, .volume)
        try await confirm("Delete volume \(name) of pool \(pool), \(volume.size("Capacity"))?", confirmation)
        // What is deleted is what was shown, even if another volume takes its name meanwhile.
        let seen = key ?? volume.text("Key")
        let arguments: Properties = seen.isEmpty ? [:] : ["key": .string(seen)]
        try await performer.perform(name, done: "Volume \(name) is deleted.") {
            try await performer.client.start(path, .volume, "Delete", arguments)
        }
    }
}
