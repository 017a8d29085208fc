// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import Glibc

/// Options of every command; they may stand anywhere on the line.
struct GlobalOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The bus: system, session, or an address. Default: $CISTERN_BUS, else system.", valueName: "bus"),
        completion: .list(["system", "session"]))
    var bus: String?

    @Flag(help: "Print JSON instead of text for people.")
    var json = false

    @Option(help: ArgumentHelp("Colours; auto is on a terminal, unless $NO_COLOR is set.", valueName: "when"))
    var color = ColorChoice.auto

    /// The bus that was asked for.
    var address: Connection.Address { Self.address(bus) }

    static func address(_ bus: String?) -> Connection.Address {
        switch bus ?? Terminal.environment("CISTERN_BUS") ?? "system" {
        case "system", "": .system
        case "session": .session
        case let address: .custom(address)
        }
    }

    /// The colours that were asked for.
    var palette: Palette { Palette(color) }
}

/// For commands that print sizes in tables.
struct SizeOptions: ParsableArguments {
    @Flag(help: "Print sizes as exact numbers of bytes.")
    var bytes = false

    /// A size for people: `1.5 GiB`, or `1610612736`; `-` when nobody knows.
    func describe(_ size: UInt64) -> String {
        bytes && size != Sizes.unknown ? String(size) : Sizes.describe(size)
    }
}

/// For commands that ask before they do something that cannot be undone.
struct Confirmation: ParsableArguments {
    @Flag(name: [.short, .long], help: "Do not ask.")
    var yes = false
}

/// For commands that start a job.
struct JobOptions: ParsableArguments {
    @Flag(help: "Do not follow the job: print its path (or / when there was nothing to wait for) and leave.")
    var noWait = false

    @Flag(name: [.short, .long], help: "Show no progress, and no summary at the end.")
    var quiet = false
}

/// A pool on the command line.
struct PoolArgument: ParsableArguments {
    @Argument(help: "The pool.", completion: Completion.pools)
    var pool: String
}

/// A volume on the command line: its pool and its name.
struct VolumeArgument: ParsableArguments {
    @Argument(help: "The pool.", completion: Completion.pools)
    var pool: String

    @Argument(help: "The volume.", completion: Completion.volumes)
    var volume: String

    @Option(help: "Refuse if the volume of that name does not have this key.")
    var key: String?

    var name: VolumeName { VolumeName(pool: pool, volume: volume) }
}

/// A volume in one word: `POOL/VOLUME`. Names of pools have no slash.
struct VolumeName: ExpressibleByArgument, CustomStringConvertible {
    let pool: String
    let volume: String

    init(pool: String, volume: String) {
        self.pool = pool
        self.volume = volume
    }

    init?(argument: String) {
        guard let slash = argument.firstIndex(of: "/"), slash > argument.startIndex else { return nil }
        pool = String(argument[..<slash])
        volume = String(argument[argument.index(after: slash)...])
        if volume.isEmpty { return nil }
    }

    var description: String { "\(pool)/\(volume)" }
    static var defaultCompletionKind: CompletionKind { Completion.volumesWithPools }
}

/// A size argument: `10G`.
struct Size: ExpressibleByArgument {
    let bytes: UInt64

    init?(argument: String) {
        guard let bytes = Sizes.parse(argument) else { return nil }
        self.bytes = bytes
    }
}

/// Permission bits in octal: `0640`.
struct Mode: ExpressibleByArgument {
    let bits: UInt32

    init?(argument: String) {
        guard let bits = UInt32(argument, radix: 8) else { return nil }
        self.bits = bits
    }
}

/// A user by name or number.
struct User: ExpressibleByArgument {
    let id: UInt32

    init?(argument: String) {
        guard let id = UInt32(argument) ?? getpwnam(argument)?.pointee.pw_uid else { return nil }
        self.id = id
    }
}

/// A group by name or number.
struct Group: ExpressibleByArgument {
    let id: UInt32

    init?(argument: String) {
        guard let id = UInt32(argument) ?? getgrnam(argument)?.pointee.gr_gid else { return nil }
        self.id = id
    }
}

/// A `KEY=VALUE` argument.
struct Assignment: ExpressibleByArgument {
    let key: String
    let value: String

    init?(argument: String) {
        guard let equals = argument.firstIndex(of: "="), equals > argument.startIndex else { return nil }
        key = String(argument[..<equals])
        value = String(argument[argument.index(after: equals)...])
    }
}

/// Who may do what with a file: for commands that make one, or change that.
struct PermissionOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Permission bits in octal.", valueName: "mode")) var mode: Mode?
    @Option(help: ArgumentHelp("The user that owns it, by name or number.", valueName: "user")) var owner: User?
    @Option(help: ArgumentHelp("Its group, by name or number.", valueName: "group")) var group: Group?

    /// `mode`, `owner` and `group`, those that were given.
    var properties: Properties {
        var properties: Properties = [:]
        properties.set("mode", mode.map { .uint32($0.bits) })
        properties.set("owner", owner.map { .uint32($0.id) })
        properties.set("group", group.map { .uint32($0.id) })
        return properties
    }
}
