// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Foundation
import Glibc
import Testing

extension Harness {
    /// Runs cisternctl on the private bus, its output in pipes, without input.
    func cisternctl(_ arguments: String..., environment: [String: String] = [:]) async throws -> ChildResult {
        try await Child.run(
            builtProgram("cisternctl"), arguments, environment: environment.merging(["CISTERN_BUS": address]) { ours, _ in ours },
            deadline: .seconds(120))
    }

    /// The same with text for its standard input.
    func cisternctl(_ arguments: String..., input: String) async throws -> ChildResult {
        let file = root + "/input"
        writeFile(file, Array(input.utf8))
        return try await Child.run(
            "/bin/sh", ["-c", "exec \"$@\" <\(file)", "sh", builtProgram("cisternctl")] + arguments, environment: ["CISTERN_BUS": address],
            deadline: .seconds(120))
    }

    /// What a command that succeeds prints.
    @discardableResult
    func output(_ arguments: String..., location: SourceLocation = #_sourceLocation) async throws -> String {
        let result = try await Child.run(
            builtProgram("cisternctl"), arguments, environment: ["CISTERN_BUS": address], deadline: .seconds(120))
        #expect(result.status == 0, "\(arguments): \(result.complaint)", sourceLocation: location)
        return result.text
    }

    /// Expects an exit code, and words in what is said on standard error.
    func expectRefusal(
        _ status: Int32, _ words: String..., by arguments: [String], location: SourceLocation = #_sourceLocation
    ) async throws {
        let result = try await Child.run(
            builtProgram("cisternctl"), arguments, environment: ["CISTERN_BUS": address], deadline: .seconds(120))
        #expect(result.status == status, "\(arguments): \(result.complaint)", sourceLocation: location)
        for word in words { #expect(result.complaint.contains(word), "\(arguments)", sourceLocation: location) }
    }

    /// What the bus says of an object, as `--json` is to print it.
    func expectedJSON(_ path: ObjectPath, _ interface: String) async throws -> JSONObject {
        var object = JSONObject(try await properties(path, interface))
        object["Object"] = path.description
        return object
    }
}

/// A JSON object that can be compared.
struct JSONObject: Equatable, CustomStringConvertible {
    private(set) var members: [String: Any]

    init(_ text: String) throws {
        members = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(text)")
    }

    init(_ properties: [String: Variant]) { members = properties.mapValues(plain) }
    fileprivate init(members: [String: Any]) { self.members = members }

    /// An array of objects.
    static func list(_ text: String) throws -> [JSONObject] {
        let list = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]], "\(text)")
        return list.map { JSONObject(members: $0) }
    }

    subscript(_ key: String) -> String? {
        get { members[key] as? String }
        set { members[key] = newValue }
    }

    func number(_ key: String) -> UInt64? { (members[key] as? NSNumber)?.uint64Value }
    func isNull(_ key: String) -> Bool { members[key] is NSNull }
    func flag(_ key: String) -> Bool? { members[key] as? Bool }
    func strings(_ key: String) -> [String]? { members[key] as? [String] }
    func object(_ key: String) -> JSONObject? { (members[key] as? [String: Any]).map { JSONObject(members: $0) } }

    /// Without what changes from one look to the next.
    func without(_ keys: String...) -> JSONObject { JSONObject(members: members.filter { !keys.contains($0.key) }) }

    /// What one has and the other has not.
    func differences(from other: JSONObject) -> [String] {
        Set(members.keys).union(other.members.keys).sorted().filter { key in
            JSONObject(members: members.filter { $0.key == key }) != JSONObject(members: other.members.filter { $0.key == key })
        }.map { "\($0): \(members[$0] ?? "-"), not \(other.members[$0] ?? "-")" }
    }

    static func == (left: JSONObject, right: JSONObject) -> Bool { NSDictionary(dictionary: left.members).isEqual(to: right.members) }
    var description: String { members.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "\n") }
}

/// A D-Bus value as JSON has it: unknown sizes are null, variants are what is in them.
private func plain(_ value: Variant) -> Any {
    switch value {
    case .uint64(.max): NSNull()
    case .bool(let value): value
    // Read back, for what reads JSON here may be off by the last bit.
    case .double(let value): (try? JSONSerialization.jsonObject(with: Data("[\(value)]".utf8)) as? [Any])?.first ?? value
    case .string(let value): value
    case .path(let value): value.description
    case .variant(let value): plain(value)
    case .array(_, let elements), .structure(let elements): elements.map(plain)
    case .dictionary(_, _, let entries):
        Dictionary(entries.map { ($0.key.text ?? "\($0.key)", plain($0.value)) }) { $1 }
    default: value.unsigned.map { NSNumber(value: $0) } ?? NSNull()
    }
}
