// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop

struct VolumeResize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resize", abstract: "Gives a volume another capacity.",
        discussion: "Example: cisternctl volume resize images disk.qcow2 40G")
    @OptionGroup var job: JobOptions
    @OptionGroup var confirmation: Confirmation
    @OptionGroup var volume: VolumeArgument
    @Argument(help: "The new capacity.") var size: Size
    @Flag(help: "Allow a smaller size: what lies behind it is lost.") var allowShrink = false
    @Flag(help: "Reserve the space of what is added.") var allocate = false
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let performer = try Performer(options, job)
        let object = try await performer.client.volume(volume)
        let new = Sizes.describe(size.bytes)
        if allowShrink && size.bytes < object.properties.number("Capacity") {
            try await confirm(
                "Cut it from \(object.properties.size("Capacity")) to \(new)? What lies behind is lost.",
                losing: try await performer.client.losses(object, volume.name), confirmation)
        }
        let arguments = object.keyed(.flags(["allow-shrink": allowShrink, "allocate": allocate]))
        try await performer.perform(volume.volume, done: "Volume \(volume.volume) has \(new).") {
            try await performer.client.start(object.path, .volume, "Resize", size.bytes, arguments)
        }
    }
}

struct VolumeRename: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rename", abstract: "Gives a volume another name in its pool; its key stays.",
        discussion: "Example: cisternctl volume rename images old.img new.img")
    @OptionGroup var volume: VolumeArgument
    @Argument(help: "Its new name.") var newName: String
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let object = try await client.volume(volume)
        let path = try await client.call(object.path, .volume, "Rename", newName, object.keyed(), returning: ObjectPath.self)
        if options.json { return Terminal.line(JSON.text(of: try await client.properties(path, .volume), path)) }
        Terminal.line(printable("Volume \(volume.volume) is now \(newName)."))
    }
}

struct VolumeRebase: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebase", abstract: "Puts an overlay on another backing volume, or on none.",
        discussion: """
            What a reader of the volume sees stays the same.

            Example: cisternctl volume rebase images vm.qcow2 --flatten
            """)
    @OptionGroup var job: JobOptions
    @OptionGroup var volume: VolumeArgument
    @Option(help: ArgumentHelp("The new backing volume.", valueName: "pool/volume")) var onto: VolumeName?
    @Flag(help: "Take all data into the volume itself; it then needs no other.") var flatten = false
    @OptionGroup var options: GlobalOptions

    func validate() throws {
        guard (onto == nil) == flatten else { throw ValidationError("Give either --onto POOL/VOLUME or --flatten.") }
    }

    @LoopActor
    func run() async throws {
        let performer = try Performer(options, job)
        let client = performer.client
        let object = try await client.volume(volume)
        var backing = ObjectPath.root
        if let onto { backing = try await client.volume(onto).path }
        let done = onto.map { "Volume \(volume.name) stands on \($0)." } ?? "Volume \(volume.name) stands alone."
        let target = backing
        try await performer.perform(volume.volume, done: done) {
            try await client.start(object.path, .volume, "Rebase", target, object.keyed())
        }
    }
}

struct VolumePermissions: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "permissions", abstract: "Shows or sets mode, owner and group of a volume.",
        discussion: "Example: cisternctl volume permissions images disk.qcow2 --mode 0640 --group kvm")
    @OptionGroup var volume: VolumeArgument
    @OptionGroup var permissions: PermissionOptions
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let object = try await client.volume(volume)
        let wanted = permissions.properties
        if !wanted.isEmpty { try await client.call(object.path, .volume, "SetPermissions", wanted, object.keyed()) }
        let now = wanted.isEmpty ? object.properties : try await client.properties(object.path, .volume)
        if options.json { return Terminal.line(JSON.text(of: now, object.path)) }
        Terminal.lines(
            sheet(
                [("Mode", Cell(octal(now.count("Mode")))), ("Owner", "\(now.count("Owner"))"), ("Group", "\(now.count("Group"))")],
                options.palette))
    }
}

struct VolumeMetadata: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metadata", abstract: "Shows or changes the words that are kept with a volume.",
        discussion: "Example: cisternctl volume metadata images disk.qcow2 owner=alice --remove ticket")
    @OptionGroup var volume: VolumeArgument
    @Argument(help: ArgumentHelp("Words to keep.", valueName: "key=value")) var assignments: [Assignment] = []
    @Option(name: .customLong("remove"), help: ArgumentHelp("A word to forget; may be repeated.", valueName: "key")) var removed: [String] =
        []
    @Flag(help: "Forget all that was kept before.") var clear = false
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let object = try await client.volume(volume)
        let before = object.properties["Metadata"]?.stringDictionary ?? [:]
        var words = clear ? [:] : before.filter { !removed.contains($0.key) }
        for assignment in assignments { words[assignment.key] = assignment.value }
        if clear || !removed.isEmpty || !assignments.isEmpty {
            try await client.call(object.path, .volume, "SetMetadata", words, object.keyed())
        }
        if options.json { return Terminal.line(JSON.text(of: try await client.properties(object.path, .volume), object.path)) }
        Terminal.lines(words.sorted { $0.key < $1.key }.map { printable("\($0.key)=\($0.value)") })
    }
}

struct VolumeWipe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wipe", abstract: "Makes the data of a volume unreadable; the volume stays.",
        discussion: "Example: cisternctl volume wipe images disk.qcow2 --algorithm zero")
    @OptionGroup var job: JobOptions
    @OptionGroup var confirmation: Confirmation
    @OptionGroup var volume: VolumeArgument
    @Option(help: "zero writes zeros, clear only promises to read as zeros.", completion: .list(["zero", "clear"])) var algorithm = "zero"
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let performer = try Performer(options, job)
        let object = try await performer.client.volume(volume)
        try await confirm("Wipe all of it?", losing: try await performer.client.losses(object, volume.name), confirmation)
        try await performer.perform(volume.volume, done: "Volume \(volume.volume) is wiped.") {
            try await performer.client.start(object.path, .volume, "Wipe", algorithm, object.keyed())
        }
    }
}

struct VolumeDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Deletes a volume and all that is in it.",
        discussion: "Example: cisternctl volume delete images disk.qcow2")
    @OptionGroup var job: JobOptions
    @OptionGroup var confirmation: Confirmation
    @OptionGroup var volume: VolumeArgument
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let performer = try Performer(options, job)
        let object = try await performer.client.volume(volume)
        try await confirm("Delete it?", losing: try await performer.client.losses(object, volume.name), confirmation)
        try await performer.perform(volume.volume, done: "Volume \(volume.volume) is deleted.") {
            try await performer.client.start(object.path, .volume, "Delete", object.keyed())
        }
    }
}
