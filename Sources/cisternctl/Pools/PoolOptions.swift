// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop

/// A host and perhaps a port: `nfs.example`, `10.0.0.1:3260`, `[fd00::1]:3260`.
struct Host: ExpressibleByArgument {
    let name: String
    /// 0 is the protocol's own.
    let port: UInt16

    /// A port follows the last colon; brackets, or having several colons, make an IPv6 address.
    init?(argument: String) {
        var (name, port) = (argument, UInt16(0))
        let isBracketed = argument.hasPrefix("[")
        if let colon = argument.lastIndex(of: ":"), !argument[colon...].contains("]"), isBracketed || argument.firstIndex(of: ":") == colon
        {
            guard let number = UInt16(argument[argument.index(after: colon)...]) else { return nil }
            (name, port) = (String(argument[..<colon]), number)
        }
        if isBracketed, name.hasSuffix("]") { name = String(name.dropFirst().dropLast()) }
        guard !name.isEmpty else { return nil }
        (self.name, self.port) = (name, port)
    }

    var variant: Variant { .structure([.string(name), .uint16(port)]) }
    /// As ``init(argument:)`` reads it.
    var text: String { (name.contains(":") ? "[\(name)]" : name) + (port == 0 ? "" : ":\(port)") }
}

/// Where a pool's storage comes from: flags for the common settings, `--set` for all.
struct SourceOptions: ParsableArguments {
    @Option(name: .customLong("device"), help: ArgumentHelp("A device; may be repeated.", valueName: "path"), completion: .file())
    var devices: [String] = []
    @Option(name: .customLong("host"), help: ArgumentHelp("A server; may be repeated.", valueName: "host[:port]"))
    var hosts: [Host] = []
    @Option(help: ArgumentHelp("The directory or export on the server.", valueName: "path")) var sourcePath: String?
    @Option(help: ArgumentHelp("The volume group, Ceph pool, ZFS pool ...", valueName: "name")) var sourceName: String?
    @Option(help: ArgumentHelp("The format of the source: ext4, nfs, gpt ...", valueName: "format")) var sourceFormat: String?
    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("A setting of the type (see `pool types TYPE`); may be repeated.", valueName: "key=value"),
        completion: Completion.settings)
    var assignments: [Assignment] = []

    var settings: [Setting] {
        [
            Setting("source.devices", devices), Setting("source.hosts", hosts.map(\.text)),
            Setting("source.path", sourcePath.map { [$0] } ?? []), Setting("source.name", sourceName.map { [$0] } ?? []),
            Setting("source.format", sourceFormat.map { [$0] } ?? []),
        ]
    }
}

/// How a pool is defined.
struct DefineOptions: ParsableArguments {
    @Flag(help: "Start it whenever the machine starts.") var autostart = false
    @Flag(help: "Keep nothing on disk: the pool is forgotten when it stops.") var transient = false
    @Flag(help: "Replace the definition of an inactive pool.") var replace = false
    @Flag(help: "Only say whether the definition is good.") var validateOnly = false

    var properties: Properties {
        .flags(["autostart": autostart, "transient": transient, "replace": replace, "validate-only": validateOnly])
    }

    /// Tells of the pool that was defined, or of the definition that is good.
    @LoopActor
    func report(_ path: ObjectPath, _ client: Client, _ options: GlobalOptions) async throws {
        if validateOnly {
            return Terminal.line(
                options.json ? JSON.object([("Object", JSON.quoted("/"))]) : "The definition is good; nothing was defined.")
        }
        let pool = try await client.properties(path, .pool)
        if options.json { return Terminal.line(JSON.text(of: pool, path)) }
        let name = pool.text("Name")
        Terminal.line("Pool \(printable(name)) is defined; `cisternctl pool start \(printable(name))` starts it.")
    }
}
