// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop

struct PoolStart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Starts a pool.", discussion: "Example: cisternctl pool start images")
    @OptionGroup var job: JobOptions
    @OptionGroup var pool: PoolArgument
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws { try await changePool(pool.pool, "Start", done: "started", options, job) }
}

struct PoolStop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stops a pool; its volumes stay where they are.", discussion: "Example: cisternctl pool stop images")
    @OptionGroup var job: JobOptions
    @OptionGroup var pool: PoolArgument
    @Flag(help: "Let those who use its file system go on, and let go of it after the last of them.") var lazy = false
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        try await changePool(pool.pool, "Stop", lazy ? ["lazy": .bool(true)] : [:], done: "stopped", options, job)
    }
}

struct PoolRefresh: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "refresh", abstract: "Scans a pool again; seldom needed.", discussion: "Example: cisternctl pool refresh images")
    @OptionGroup var job: JobOptions
    @OptionGroup var pool: PoolArgument
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws { try await changePool(pool.pool, "Refresh", done: "scanned", options, job) }
}

@LoopActor
private func changePool(
    _ name: String, _ method: String, _ how: Properties = [:], done: String, _ options: GlobalOptions, _ job: JobOptions
) async throws {
    let performer = try Performer(options, job)
    let path = try await performer.client.pool(name)
    try await performer.perform(name, done: "Pool \(name) is \(done).") {
        try await performer.client.start(path, .pool, method, how)
    }
}

struct PoolBuild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build", abstract: "Makes what a pool needs before its first start: a directory, a file system, a volume group.",
        discussion: "Example: cisternctl pool build images")
    @OptionGroup var job: JobOptions
    @OptionGroup var confirmation: Confirmation
    @OptionGroup var pool: PoolArgument
    @Flag(help: "Build even where there is data already, which is lost.") var overwrite = false
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let performer = try Performer(options, job)
        let object = try await performer.client.poolObject(pool.pool)
        if overwrite {
            try await confirm("Build it over whatever data is there?", losing: [losses(of: object.properties)], confirmation)
        }
        try await performer.perform(pool.pool, done: "Pool \(pool.pool) is built.") {
            try await performer.client.start(object.path, .pool, "Build", Properties.flags(["overwrite": overwrite]))
        }
    }
}

/// `Pool images: type dir, target.path=/srv/images.`
private func losses(of pool: Properties) -> String {
    let settings = (pool["Settings"]?.dictionary ?? [:]).filter { $0.key.hasPrefix("source.") || $0.key == "target.path" }
    let places = settings.sorted { $0.key < $1.key }.map { "\($0.key)=\(Settings.text($0.key, $0.value))" }
    let used = pool.number("Allocation") == Sizes.unknown ? [] : ["\(pool.size("Allocation")) in use"]
    return "Pool \(pool.text("Name")): " + (["type \(pool.text("Type"))"] + places + used).joined(separator: ", ") + "."
}

struct PoolDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Deletes what a stopped pool is made of; `undefine` only forgets the pool.",
        discussion: "Example: cisternctl pool delete images")
    @OptionGroup var job: JobOptions
    @OptionGroup var confirmation: Confirmation
    @OptionGroup var pool: PoolArgument
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let performer = try Performer(options, job)
        let object = try await performer.client.poolObject(pool.pool)
        try await confirm("Delete its storage?", losing: [losses(of: object.properties)], confirmation)
        let arguments: Properties = ["confirm": .string(object.properties.text("UUID"))]
        try await performer.perform(pool.pool, done: "The storage of pool \(pool.pool) is deleted.") {
            try await performer.client.start(object.path, .pool, "Delete", arguments)
        }
    }
}

struct PoolUndefine: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undefine", abstract: "Forgets a stopped pool; its data is not touched.",
        discussion: "Example: cisternctl pool undefine images")
    @OptionGroup var confirmation: Confirmation
    @OptionGroup var pool: PoolArgument
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let path = try await client.pool(pool.pool)
        try await confirm("Forget the definition of pool \(pool.pool)? Its data stays.", confirmation)
        try await client.call(path, .pool, "Undefine", Properties())
        if options.json { return Terminal.line(JSON.text(of: [:], path)) }
        Terminal.line("Pool \(printable(pool.pool)) is forgotten.")
    }
}

struct PoolAutostart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "autostart", abstract: "Whether a pool starts whenever the machine does.",
        discussion: "Example: cisternctl pool autostart images on")
    enum Switch: String, ExpressibleByArgument, CaseIterable { case on, off }

    @OptionGroup var pool: PoolArgument
    @Argument(help: "on or off.") var state: Switch
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let path = try await client.pool(pool.pool)
        try await client.call(path, .pool, "SetAutostart", state == .on, Properties())
        if options.json { return Terminal.line(JSON.text(of: try await client.properties(path, .pool), path)) }
        Terminal.line("Autostart of pool \(printable(pool.pool)) is \(state.rawValue).")
    }
}
