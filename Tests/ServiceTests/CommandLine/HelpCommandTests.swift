// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@Suite struct HelpCommandTests {
    /// Every command that does something, as its words, by its help.
    @LoopActor
    private func commands(_ harness: Harness, below words: [String] = []) async throws -> [(words: [String], help: String)] {
        let result = try await Child.run(builtProgram("cisternctl"), words + ["--help"], deadline: .seconds(30))
        #expect(result.status == 0 && result.errors.isEmpty, "\(words)")
        guard let list = result.text.components(separatedBy: "\nSUBCOMMANDS:\n").dropFirst().first else { return [(words, result.text)] }
        var found: [(words: [String], help: String)] = []
        for line in list.split(separator: "\n") where line.hasPrefix("  ") && !line.hasPrefix("   ") && !line.contains("See '") {
            found += try await commands(harness, below: words + [String(line.split(separator: " ")[0])])
        }
        return found
    }

    @Test func `every command has a short help with an example of itself, and a test that runs it`() async throws {
        try await Harness.run(start: false) { harness in
            let commands = try await commands(harness)
            #expect(commands.count >= 38)
            let folder = String(#filePath.prefix(upTo: "/HelpCommandTests.swift"))
            let tests = entries(folder).map { readFile(folder + "/" + $0) }.joined()
            for (words, help) in commands {
                let name = "cisternctl " + words.joined(separator: " ")
                #expect(help.contains("Example:") && help.components(separatedBy: name).count > 2, "\(name) has no example")
                #expect(help.split(separator: "\n").count < 60, "\(name)")
                #expect(tests.contains(words.map { "\"\($0)\"" }.joined(separator: ", ")), "no test runs \(name)")
            }
        }
    }

    @Test func `wrong usage is exit code 2, and a bus without the daemon 3`() async throws {
        try await Harness.run(start: false) { harness in
            try await harness.expectRefusal(2, by: ["pool", "nonsense"])
            try await harness.expectRefusal(2, by: ["volume", "create", "p", "v", "12 apples"])
            try await harness.expectRefusal(2, "--xml", by: ["volume", "create", "p"])
            try await harness.expectRefusal(2, "--allocation", by: ["volume", "create", "p", "v", "1G", "--allocations", "full"])
            try await harness.expectRefusal(3, "systemctl start cisternd", by: ["pool", "list"])
            try await harness.expectRefusal(3, "--bus", by: ["pool", "list", "--bus", "unix:path=/nonexistent"])
        }
    }
}
