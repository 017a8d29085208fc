// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern
import EventLoop
import Testing

@testable import Service

/// org.cistern1(5) tells of everything that the daemon has on the bus, and of nothing else.
@Suite struct ManualTests {
    private let page = ManualPage("man/org.cistern1.5")

    /// A daemon with one object of each kind.
    private func introspect(_ test: @LoopActor ([Introspected], Harness) async throws -> Void) async throws {
        try await Harness.run { harness in
            let (pool, _) = try await harness.startedPool()
            let (volume, job) = try await harness.create(pool, "v", 4096, ["allocation": .string("full"), "wait": .bool(true)])
            var found: [Introspected] = []
            for path in [Harness.manager, pool, volume, job] { found += try await Introspected.interfaces(of: path, harness) }
            try #require(found.count == 4)
            try await test(found, harness)
        }
    }

    @Test func `the page of the interfaces has every member of every interface, with its signature`() async throws {
        try await introspect { found, _ in
            for declared in found {
                #expect(tags("Methods of \(declared.interface)") == Set(declared.methods.map(\.text)))
                #expect(tags("Properties of \(declared.interface)") == declared.properties)
                #expect(tags("Signals of \(declared.interface)") == declared.signals)
            }
            let kinds = ["Methods", "Properties", "Signals"]
            let known = Set(found.flatMap { interface in kinds.map { "\($0) of \(interface.interface)" } })
            let ours = page.entries.map(\.subsection).filter { text in kinds.contains { text.hasPrefix($0 + " of ") } }
            #expect(Set(ours).isSubset(of: known))
        }
    }

    @Test func `the page of the interfaces has every option of every method, with its type`() async throws {
        let common = Set(page.entries.filter { $0.subsection == "Options" }.map(\.tag))
        #expect(common == ["wait b", "key s"])
        try await introspect { found, _ in
            for declared in found {
                for method in declared.methods {
                    let entry = page.entries.first { $0.tag == method.text && $0.subsection == "Methods of \(declared.interface)" }
                    var options = Set(entry?.inner.filter { $0.macro == "Cm" }.map(\.tag) ?? [])
                    if method.givesJob { options.insert("wait b") }
                    if declared.interface == "org.cistern1.Volume" { options.insert("key s") }
                    #expect(options == method.options, "\(declared.interface).\(method.name)")
                }
            }
        }
    }

    @Test func `the page of the interfaces has every action, and the methods that need it`() async throws {
        let actions = page.entries(of: "AUTHORIZATION")
        #expect(Set(actions.map(\.tag)) == Set(Action.allCases.map(\.id)))
        try await introspect { found, _ in
            for action in actions {
                let needing = Set(found.flatMap { $0.methods }.filter { $0.action == action.tag }.map(\.name))
                let named = Set(action.body.filter { $0.hasPrefix(".Ic ") }.map { String($0.split(separator: " ")[1]) })
                #expect(needing.isSubset(of: named), "\(action.tag)")
                // Open, Cancel and the like decide by their arguments.
                let others = found.flatMap { $0.methods }.filter { $0.action.isEmpty }.map(\.name)
                #expect(named.subtracting(needing).isSubset(of: others), "\(action.tag)")
            }
        }
    }

    @Test func `the page of the interfaces has every error`() {
        let ofTheBus = [
            BusError.interactionRequired(""), .unknownObject(""), .unknownInterface(""), .unknownMethod(""), .unknownProperty(""),
            .propertyReadOnly(""),
        ].map(\.name)
        #expect(Set(page.entries("Er").map(\.tag)) == Set(StorageError.Code.allCases.map(\.busName) + ofTheBus))
    }

    @Test func `the page of the interfaces has every pool type, and its settings with their types`() async throws {
        let settings = page.entries(of: "POOL SETTINGS")
        let described = Set(page.entries(of: "POOL TYPES").map(\.tag))
        try await Harness.run { harness in
            let types = try await harness.call(
                Harness.manager, Harness.managerInterface, "GetPoolTypes", [String: Variant](),
                returning: [String: [String: Variant]].self)
            #expect(described == Set(types.keys))
            for (type, facts) in types {
                let declared = facts["settings"]?.stringDictionary ?? [:]
                let named = settings.filter { Self.types(of: $0).contains(type) }
                #expect(Set(named.map(\.tag)) == Set(declared.map { "\($0.key) \($0.value)" }), "\(type)")
            }
            #expect(Set(settings.flatMap(Self.types)).isSubset(of: described))
        }
    }

    @Test func `what the page of the interfaces calls a method, a property, an option or an error is one`() async throws {
        let errors = Set(page.entries("Er").compactMap { $0.tag.split(separator: ".").last.map(String.init) })
        let settings = page.entries(of: "POOL SETTINGS").map(\.tag)
        try await introspect { found, harness in
            let logControl = try await Introspected.interfaces(of: "/org/freedesktop/LogControl1", harness)
            func names(_ texts: some Sequence<String>) -> Set<String> {
                Set(texts.compactMap { $0.split(whereSeparator: { $0 == " " || $0 == "(" }).first.map(String.init) })
            }
            let members = names(found.flatMap { $0.methods.map(\.text) + $0.signals })
            let values = names((found + logControl).flatMap(\.properties) + settings)
            let options = names(found.flatMap { $0.methods.flatMap(\.options) })
            #expect(page.marked["Ic", default: []].subtracting(members) == [])
            #expect(page.marked["Va", default: []].subtracting(values) == [])
            #expect(page.marked["Cm", default: []].subtracting(options) == [])
            #expect(page.marked["Er", default: []].subtracting(errors) == [])
        }
    }

    private func tags(_ subsection: String) -> Set<String> { Set(page.entries.filter { $0.subsection == subsection }.map(\.tag)) }

    /// The pool types that a setting's paragraph begins with.
    private static func types(of setting: ManualPage.Entry) -> Set<String> {
        guard let line = setting.body.first, line.hasPrefix(".Em ") else { return [] }
        return Set(line.split(whereSeparator: { " ,:".contains($0) }).dropFirst().map(String.init))
    }
}
