// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop

/// What a new volume is like, beside its name and size.
struct CreateOptions: ParsableArguments {
    @Option(help: "raw, qcow2, or another format of `pool types`.", completion: Completion.formats) var format: String?
    @Option(
        help: ArgumentHelp("sparse, metadata, falloc (reserved) or full (zeros written).", valueName: "how"),
        completion: .list(["sparse", "metadata", "falloc", "full"]))
    var allocation: String?
    @Option(help: ArgumentHelp("Make it an overlay of that volume.", valueName: "pool/volume")) var backing: VolumeName?
    @Option(help: ArgumentHelp("The format of the backing volume.", valueName: "format"), completion: Completion.formats)
    var backingFormat: String?
    @OptionGroup var permissions: PermissionOptions
    @Option(help: ArgumentHelp("The label of a security module.", valueName: "label")) var securityLabel: String?
    @Option(
        help: ArgumentHelp("Encrypt with the passphrase that a file is, all of it; - asks, or reads standard input.", valueName: "file"),
        completion: .file())
    var passphraseFile: String?
    @Option(help: ArgumentHelp("qcow2: 0.10 or 1.1.", valueName: "version"), completion: .list(["0.10", "1.1"])) var compat: String?
    @Option(help: ArgumentHelp("qcow2: the size of a cluster, such as 64K.", valueName: "size")) var clusterSize: Size?
    @Flag(help: "qcow2: write reference counts later, which is faster.") var lazyRefcounts = false
    @Flag(help: "qcow2: keep track of parts of clusters.") var extendedL2 = false
    @Option(help: ArgumentHelp("vmdk, vdi ...: the variant of the format.", valueName: "name")) var subformat: String?
    @Option(
        name: .customLong("metadata"), help: ArgumentHelp("Words of yours to keep with it; may be repeated.", valueName: "key=value"))
    var metadata: [Assignment] = []

    @LoopActor
    func properties(_ client: Client) async throws -> Properties {
        var properties = permissions.properties
        properties.set("format", format.map { .string($0) })
        properties.set("allocation", allocation.map { .string($0) })
        properties.set("backing-format", backingFormat.map { .string($0) })
        properties.set("security-label", securityLabel.map { .string($0) })
        properties.set("compat", compat.map { .string($0) })
        properties.set("cluster-size", clusterSize.map { .uint64($0.bytes) })
        properties.set("subformat", subformat.map { .string($0) })
        properties.merge(.flags(["lazy-refcounts": lazyRefcounts, "extended-l2": extendedL2])) { $1 }
        if !metadata.isEmpty { properties["metadata"] = .dictionary(Dictionary(metadata.map { ($0.key, $0.value) }) { $1 }) }
        if let backing { properties["backing"] = .path(try await client.volume(backing).path) }
        if let passphraseFile {
            properties["passphrase"] = .descriptor(try await openSecret(passphraseFile, asking: "Passphrase of the new volume:"))
        }
        return properties
    }

    /// Whether anything was said; XML says it all itself.
    var isEmpty: Bool {
        let texts = [format, allocation, backingFormat, securityLabel, passphraseFile, compat, subformat]
        return texts.allSatisfy { $0 == nil } && backing == nil && clusterSize == nil && !lazyRefcounts && !extendedL2 && metadata.isEmpty
            && permissions.properties.isEmpty
    }
}

struct VolumeCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Makes a volume.",
        discussion: """
            Example: cisternctl volume create images disk 20G --format qcow2
                     cisternctl volume create vms a --format qcow2 --backing images/disk
                     cisternctl volume create --xml volume.xml images
            """)
    @OptionGroup var job: JobOptions
    @Argument(help: "The pool.", completion: Completion.pools) var pool: String
    @Argument(help: "The new volume's name.") var name: String?
    @Argument(help: "Its capacity: 512MiB, 10G. An overlay has its backing volume's if none is given.") var size: Size?
    @OptionGroup var what: CreateOptions
    @Option(
        help: ArgumentHelp("Make what libvirt's volume XML in a file says; - is standard input.", valueName: "file"), completion: .file())
    var xml: String?
    @Option(help: ArgumentHelp("With --xml: take the data of that volume.", valueName: "pool/volume")) var source: VolumeName?
    @OptionGroup var options: GlobalOptions

    func validate() throws {
        if xml != nil {
            guard name == nil, what.isEmpty else { throw ValidationError("With --xml, everything but the pool stands in the XML.") }
        } else {
            guard source == nil else { throw ValidationError("--source goes with --xml; see `volume clone`.") }
            guard name != nil else { throw ValidationError("Give the new volume a name, or --xml.") }
            guard size != nil || what.backing != nil else { throw ValidationError("Say how large the volume shall be, for example 10G.") }
        }
    }

    @LoopActor
    func run() async throws {
        let performer = try Performer(options, job)
        let client = performer.client
        let path = try await client.pool(pool)
        if let xml { return try await create(try await readFile(xml), path, performer) }
        guard let name else { return }
        let capacity = try await capacity(client)
        let properties = try await what.properties(client)
        try await performer.perform(name, done: "Volume \(name) of \(Sizes.describe(capacity)) is there.") {
            try await client.create(path, "CreateVolume", name, capacity, properties)
        }
    }

    /// What was asked for, or the backing volume's.
    @LoopActor
    private func capacity(_ client: Client) async throws -> UInt64 {
        if let size { return size.bytes }
        guard let backing = what.backing else { return 0 }
        let capacity = try await client.volume(backing).properties.number("Capacity")
        guard capacity != Sizes.unknown else {
            throw Failure(.usage, "Nobody knows how large \(backing) is: say how large its overlay shall be.")
        }
        return capacity
    }

    @LoopActor
    private func create(_ xml: String, _ pool: ObjectPath, _ performer: Performer) async throws {
        var properties: Properties = [:]
        if let source { properties["source"] = .path(try await performer.client.volume(source).path) }
        try await performer.perform("new volume", done: "The volume is there.") {
            try await performer.client.create(pool, "CreateVolumeXML", xml, properties)
        }
    }
}

struct VolumeClone: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clone", abstract: "Makes a copy of a volume, in its pool or another.",
        discussion: "Example: cisternctl volume clone images disk.qcow2 copy.qcow2 --to backup")
    @OptionGroup var job: JobOptions
    @OptionGroup var volume: VolumeArgument
    @Argument(help: "The copy's name.") var name: String
    @Option(
        help: ArgumentHelp("The pool that the copy is made in; the same one without it.", valueName: "pool"), completion: Completion.pools)
    var to: String?
    @Option(
        help: ArgumentHelp("auto, reflink, snapshot, overlay or copy.", valueName: "how"),
        completion: .list(["auto", "reflink", "snapshot", "overlay", "copy"]))
    var mode: String?
    @Option(help: "The copy's format.", completion: Completion.formats) var format: String?
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let performer = try Performer(options, job)
        let client = performer.client
        let source = try await client.volume(volume)
        let pool = try await client.pool(to ?? volume.pool)
        var properties: Properties = [:]
        properties.set("mode", mode.map { .string($0) })
        properties.set("format", format.map { .string($0) })
        let arguments = properties
        try await performer.perform(name, done: "Volume \(name) is a copy of \(volume.name).") {
            try await client.create(pool, "CloneVolume", source.path, name, arguments)
        }
    }
}
