// SPDX-License-Identifier: LGPL-2.1-or-later
import EventLoop
import Glibc
import Testing

/// The pages of the programs tell of every option that the programs have; all pages are well-formed, and their examples work.
@Suite struct ProgramManualTests {
    static let pages = ["man/org.cistern1.5", "man/cisternd.8", "man/cisternctl.1"]

    @Test(arguments: pages) func `troff has nothing to say against a page`(page: String) async throws {
        Loop.shared.startThread()
        let result = try await Child.run(
            "groff", ["-ww", "-mandoc", "-Tutf8", "-z", ManualPage.root + "/" + page], deadline: .seconds(30))
        #expect(result.succeeded && result.complaint.isEmpty, "\(result.complaint)")
    }

    @Test(arguments: ["man/org.cistern1.5", "man/cisternctl.1"]) func `the examples of a page work as they are shown`(page: String)
        async throws
    {
        Loop.shared.startThread()
        let programs = ["CISTERND": builtProgram("cisternd"), "CISTERNCTL": builtProgram("cisternctl")]
        let result = try await Child.run(
            ManualPage.root + "/Tests/examples.sh", [page], environment: programs, deadline: .seconds(180))
        #expect(result.succeeded, "\(result.complaint)")
    }

    @Test func `the page of cisternd has every option and every variable of its help`() async throws {
        let page = ManualPage("man/cisternd.8")
        let help = try await Self.help("cisternd")
        #expect(Set(page.entries("Fl").map(\.tag).flatMap(Self.options)) == Self.options(help))
        let variables = Set(help.components(separatedBy: "$").dropFirst().map { String($0.prefix { $0.isLetter || $0 == "_" }) })
        #expect(variables.count == 3 && variables.isSubset(of: page.entries("Ev").map(\.tag)))
    }

    @Test func `the page of cisternctl has every command and every long option of its help`() async throws {
        let page = ManualPage("man/cisternctl.1")
        var described: [String: Set<String>] = [:]
        for entry in page.entries("Ic") {
            described[entry.name] = Set(entry.inner.filter { $0.macro == "Fl" }.map(\.tag).flatMap(Self.options))
        }
        let common = Set(page.entries(of: "OPTIONS").map(\.tag).flatMap(Self.options))
        let commands = try await Self.commands([])
        #expect(Set(described.keys) == Set(commands.keys))
        for (command, options) in commands {
            let own = described[command, default: []]
            #expect(own.isSubset(of: options), "\(command)")
            #expect(options.subtracting(own).isSubset(of: common), "\(command)")
        }
        #expect(common.isSubset(of: commands.values.reduce(into: Set()) { $0.formUnion($1) }))
    }

    // MARK: - Help

    private static func help(_ program: String, _ arguments: [String] = []) async throws -> String {
        Loop.shared.startThread()
        let result = try await Child.run(builtProgram(program), arguments + ["--help"], deadline: .seconds(30))
        try #require(result.succeeded, "\(result.complaint)")
        return result.text
    }

    /// The long options that a text names.
    private static func options(_ text: String) -> Set<String> {
        let words = text.split(whereSeparator: { !($0.isLetter || $0.isNumber || $0 == "-") }).map(String.init)
        return Set(words.filter { $0.hasPrefix("--") && $0.count > 2 })
    }

    /// The commands that have no subcommands, with their options.
    private static func commands(_ path: [String]) async throws -> [String: Set<String>] {
        let help = try await help("cisternctl", path)
        let names = help.components(separatedBy: "SUBCOMMANDS:\n").dropFirst().first.map(subcommands) ?? []
        if names.isEmpty { return [path.joined(separator: " "): options(help)] }
        var commands: [String: Set<String>] = [:]
        for name in names { commands.merge(try await Self.commands(path + [name])) { old, _ in old } }
        return commands
    }

    private static func subcommands(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).prefix { $0.hasPrefix("  ") }
            .filter { $0.dropFirst(2).first?.isLetter == true }
            .map { String($0.dropFirst(2).prefix { $0 != " " && $0 != "," }) }
    }
}
