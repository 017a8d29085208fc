// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop

struct PoolCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pool", abstract: "Pools: what volumes come from.",
        subcommands: [
            PoolList.self, PoolInfo.self, PoolDefine.self, PoolStart.self, PoolStop.self, PoolRefresh.self, PoolBuild.self,
            PoolAutostart.self,
            PoolUndefine.self, PoolDelete.self, PoolTypes.self,
        ])
}

struct PoolList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists all pools.")
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
                pool.text("Name"), pool.text("Type"), pool.text("State"), pool.flag("Autostart") ? "yes" : "no", pool.size("Capacity"),
                pool.size("Allocation"), pool.size("Available"), "\(pool["VolumeCount"]?.unsigned ?? 0)")
        }
        Terminal.lines(table.lines)
    }
}

struct PoolInfo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "info", abstract: "Shows everything about a pool.")
    @OptionGroup var options: GlobalOptions
    @Argument(help: "The pool.") var name: String
    @Flag(help: "Print the pool's XML, as libvirt writes it.") var xml = false

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let path = try await client.pool(name)
        if xml { return Terminal.text(try await client.call(path, .pool, "GetXML", Properties(), returning: String.self)) }
        let pool = try await client.properties(path, .pool)
        if options.json { return Terminal.line(JSON.text(of: pool, path)) }
        Terminal.lines(sheet(description(of: pool)))
    }

    private func description(of pool: Properties) -> [(String, String)] {
        var rows = [
            ("Name", pool.text("Name")), ("UUID", pool.text("UUID")), ("Type", pool.text("Type")),
            ("State", withReason(pool)), ("Autostart", pool.flag("Autostart") ? "yes" : "no"),
            ("Persistent", pool.flag("Persistent") ? "yes" : "no"), ("Target", pool.text("TargetPath")),
            ("Capacity", pool.size("Capacity")), ("Allocation", pool.size("Allocation")), ("Available", pool.size("Available")),
            ("Provisioned", pool.size("Provisioned")), ("Volumes", "\(pool["VolumeCount"]?.unsigned ?? 0)"), ("Watch", pool.text("Watch")),
        ]
        for warning in pool["Warnings"]?.strings ?? [] { rows.append(("Warning", warning)) }
        for (key, value) in (pool["Settings"]?.dictionary ?? [:]).sorted(by: { $0.key < $1.key }) {
            rows.append((key, setting(key, value)))
        }
        for (operation, reason) in (pool["Capabilities"]?.stringDictionary ?? [:]).sorted(by: { $0.key < $1.key }) where !reason.isEmpty {
            rows.append(("No " + operation, reason))
        }
        for entry in (pool["Skipped"]?.elements ?? []).compactMap(\.elements) where entry.count == 2 {
            rows.append(("Skipped", "\(entry[0].text ?? ""): \(entry[1].text ?? "")"))
        }
        return rows
    }
}

/// A setting the way `pool define --set` takes it, where that is possible.
private func setting(_ key: String, _ value: Variant) -> String {
    if key.hasSuffix(".mode"), let bits = value.unsigned { return "0" + String(bits, radix: 8) }
    return value.text ?? value.strings?.joined(separator: ",") ?? JSON.text(value)
}

/// `degraded (the last scan failed)`.
func withReason(_ object: Properties) -> String {
    let reason = object.text("StateReason")
    return reason.isEmpty ? object.text("State") : "\(object.text("State")) (\(reason))"
}

struct PoolTypes: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "types", abstract: "Lists the types of pools this machine can have.")
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let types = try await Client(options).poolTypes().sorted { $0.key < $1.key }
        if options.json {
            return Terminal.line(JSON.object(types.map { (JSON.quoted($0.key), JSON.text(.dictionary($0.value))) }))
        }
        var table = Table(("TYPE", .left), ("AVAILABLE", .left), ("VOLUME FORMATS", .left), ("SETTINGS", .left))
        for (name, type) in types {
            let available = type.flag("available") ? "yes" : "no: " + type.text("reason")
            let settings = (type["settings"]?.stringDictionary ?? [:]).keys.sorted().joined(separator: " ")
            table.add(name, available, (type["volume-formats"]?.strings ?? []).joined(separator: " "), settings)
        }
        Terminal.lines(table.lines)
    }
}

extension Client {
    func poolTypes() async throws -> [String: Properties] {
        try await call(Self.root, .manager, "GetPoolTypes", Properties(), returning: [String: Properties].self)
    }
}
