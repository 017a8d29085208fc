// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop

/// The interfaces of cisternd as introspection tells of them, members written as the manual page writes them.
struct Introspected: Sendable {
    struct Method: Sendable {
        let name: String
        /// `GetPool(s name) -> o pool`: without the options that every method takes.
        let text: String
        /// `wait b`.
        let options: Set<String>
        /// The polkit action that every caller needs; empty if there is none, or the object decides.
        let action: String
        /// Such a method should have the option `wait`.
        let givesJob: Bool
    }

    let interface: String
    private(set) var methods: [Method] = []
    /// `State s`, `Name s (constant)`.
    private(set) var properties: Set<String> = []
    private(set) var signals: Set<String> = []

    /// The interfaces of an object that are not those of the D-Bus specification.
    @LoopActor static func interfaces(of path: ObjectPath, _ harness: Harness) async throws -> [Introspected] {
        let xml = try await harness.call(path, "org.freedesktop.DBus.Introspectable", "Introspect", returning: String.self)
        return xml.components(separatedBy: "<interface ").dropFirst().map { Introspected($0.prefix(upTo: "</interface>")) }
            .filter { !$0.interface.hasPrefix("org.freedesktop.DBus.") }
    }

    private init(_ xml: String) {
        interface = Self.attribute("name", xml)
        for kind in ["method", "property", "signal"] {
            for piece in xml.components(separatedBy: "<\(kind) ").dropFirst() { add(kind, piece.prefix(upTo: "</\(kind)>")) }
        }
    }

    private mutating func add(_ kind: String, _ xml: String) {
        let name = Self.attribute("name", xml)
        let arguments = xml.components(separatedBy: "<arg ").dropFirst()
        func list(_ marker: String) -> [String] {
            arguments.filter { $0.contains(marker) && Self.attribute("name", $0) != "options" }.map {
                Self.attribute("type", $0) + " " + Self.attribute("name", $0)
            }
        }
        switch kind {
        case "property":
            let announced = Self.annotation("org.freedesktop.DBus.Property.EmitsChangedSignal", xml)
            let remark = ["const": " (constant)", "false": " (silent)"][announced] ?? ""
            properties.insert("\(name) \(Self.attribute("type", xml))\(remark)")
        case "signal": signals.insert("\(name)(\(list("name=").joined(separator: ", ")))")
        default:
            let outputs = list("\"out\"")
            let result = outputs.count == 1 ? " -> \(outputs[0])" : outputs.isEmpty ? "" : " -> (\(outputs.joined(separator: ", ")))"
            methods.append(
                Method(
                    name: name, text: "\(name)(\(list("\"in\"").joined(separator: ", ")))\(result)",
                    options: Set(Self.annotation("org.bus.Options", xml).components(separatedBy: ", ").filter { !$0.isEmpty }),
                    action: Self.annotation("org.bus.Action", xml), givesJob: outputs.contains("o job")))
        }
    }

    private static func attribute(_ name: String, _ xml: String) -> String {
        xml.components(separatedBy: "\(name)=\"").dropFirst().first?.prefix(upTo: "\"") ?? ""
    }

    private static func annotation(_ name: String, _ xml: String) -> String {
        xml.components(separatedBy: "<annotation name=\"\(name)\"").dropFirst().first.map { attribute("value", $0) } ?? ""
    }
}
