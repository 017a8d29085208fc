// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@Suite struct EditCommandTests {
    /// An inactive pool, and an editor of these shell commands: `$1` is the file.
    @LoopActor
    private func prepare(_ harness: Harness, editor commands: String) async throws -> (pool: ObjectPath, environment: [String: String]) {
        let pool = try await harness.define("p", harness.root + "/p", ["autostart": .bool(false)])
        let editor = harness.root + "/editor"
        writeFile(editor, Array("#!/bin/sh\n\(commands)\n".utf8))
        chmod(editor, 0o755)
        mkdir(harness.root + "/tmp", 0o755)
        return (pool, ["VISUAL": "", "EDITOR": editor + " ", "TMPDIR": harness.root + "/tmp"])
    }

    @LoopActor
    private func target(_ harness: Harness, _ pool: ObjectPath) async throws -> String? {
        try await harness.properties(pool, Harness.poolInterface)["Settings"]?.dictionary?["target.path"]?.text
    }

    @Test func `the edited definition replaces the old one`() async throws {
        try await Harness.run { harness in
            let (pool, environment) = try await prepare(
                harness, editor: "[ \"$(stat -c %a \"$1\")\" = 600 ] && sed -i \"s|/p</path>|/q</path>|\" \"$1\"")
            let result = try await harness.cisternctl("pool", "edit", "p", environment: environment)
            #expect(result.status == 0, "\(result.complaint)")
            #expect(try await target(harness, pool) == harness.root + "/q")
            #expect(entries(harness.root + "/tmp").isEmpty)
        }
    }

    @Test func `unchanged is not defined again`() async throws {
        try await Harness.run { harness in
            let (_, environment) = try await prepare(harness, editor: "true")
            let result = try await harness.cisternctl("pool", "edit", "p", environment: environment)
            #expect(result.status == 0 && result.text == "Nothing was changed in pool p.\n")
            #expect(entries(harness.root + "/tmp").isEmpty)
        }
    }

    @Test func `an active pool is refused before the editor starts`() async throws {
        try await Harness.run { harness in
            let (_, environment) = try await prepare(harness, editor: "touch \"$TMPDIR/ran\"")
            mkdir(harness.root + "/p", 0o755)
            try await harness.output("pool", "start", "p")
            let result = try await harness.cisternctl("pool", "edit", "p", environment: environment)
            #expect(result.status == 1 && result.complaint.contains("stop it first"))
            #expect(entries(harness.root + "/tmp").isEmpty)
        }
    }

    @Test func `without a terminal a refused definition is kept`() async throws {
        try await Harness.run { harness in
            let (pool, environment) = try await prepare(harness, editor: "sed -i s/dir/nonsense/ \"$1\"")
            let result = try await harness.cisternctl("pool", "edit", "p", environment: environment)
            let kept = try #require(entries(harness.root + "/tmp").first)
            #expect(result.status == 1 && result.complaint.contains("nonsense") && result.complaint.contains(kept), "\(result.complaint)")
            #expect(try await target(harness, pool) == harness.root + "/p")
        }
    }

    @Test func `on a terminal a refused definition is edited again`() async throws {
        try await Harness.run { harness in
            let bad = "if [ -e \"$TMPDIR/once\" ]; then sed -i 's|<wrong/>||; s|/p</path>|/r</path>|' \"$1\"; "
            let good = "else touch \"$TMPDIR/once\"; sed -i 's|<target>|<wrong/><target>|' \"$1\"; fi"
            let (pool, environment) = try await prepare(harness, editor: bad + good)
            let screen = try Screen(harness, "pool", "edit", "p", environment: environment)
            try await screen.wait(for: "line ")
            try await screen.wait(for: "Edit it again? [Y/n] ")
            screen.type("\n")
            try await screen.wait(for: "Pool p is defined as edited.")
            #expect(try await screen.end() == 0)
            #expect(try await target(harness, pool) == harness.root + "/r")
        }
    }

    @Test func `a definition that was changed meanwhile is not overwritten`() async throws {
        try await Harness.run { harness in
            let meanwhile = "\(builtProgram("cisternctl")) pool define p dir --target /other --replace >&2"
            let (pool, environment) = try await prepare(harness, editor: meanwhile + " && sed -i 's|/p</path>|/q</path>|' \"$1\"")
            let result = try await harness.cisternctl("pool", "edit", "p", environment: environment)
            #expect(result.status == 1 && result.complaint.contains("meanwhile"), "\(result.complaint)")
            #expect(try await target(harness, pool) == "/other")
        }
    }

    @Test func `Ctrl-C belongs to the editor`() async throws {
        try await Harness.run { harness in
            let (pool, environment) = try await prepare(
                harness, editor: "trap 'sed -i \"s|/p</path>|/q</path>|\" \"$1\"; exit 0' INT; echo ready; read line")
            let screen = try Screen(harness, "pool", "edit", "p", environment: environment)
            try await screen.wait(for: "ready")
            screen.type(Screen.interrupt)
            try await screen.wait(for: "defined as edited")
            #expect(try await screen.end() == 0)
            #expect(try await target(harness, pool) == harness.root + "/q")
        }
    }

    @Test func `an editor that fails changes nothing`() async throws {
        try await Harness.run { harness in
            let (pool, environment) = try await prepare(harness, editor: "exit 3")
            let result = try await harness.cisternctl("pool", "edit", "p", environment: environment)
            #expect(result.status == 1 && result.complaint.contains("ended with 3"))
            #expect(try await target(harness, pool) == harness.root + "/p" && entries(harness.root + "/tmp").isEmpty)
        }
    }
}
