// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

/// The script that a shell loads, run by that shell.
@Suite struct CompletionCommandTests {
    /// What bash offers for the last of the words, which stand as they are typed.
    @LoopActor
    private func offers(_ harness: Harness, _ words: String..., bus: String? = nil) async throws -> [String] {
        let script = harness.root + "/completion.bash"
        writeFile(script, try await harness.cisternctl("--generate-completion-script", "bash").output)
        let type = """
            . "$1"; shift; COMP_WORDS=("$@"); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_CWORD=$(($# - 1)); COMPREPLY=()
            _cisternctl "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            [ ${#COMPREPLY[@]} = 0 ] || printf '%s\\n' "${COMPREPLY[@]}"
            """
        mkdir(harness.root + "/here", 0o755)
        let result = try await Child.run(
            "/bin/sh",
            ["-c", "cd \"$1\"; shift; exec bash -c \"$@\"", "sh", harness.root + "/here", type, "bash", script]
                + [builtProgram("cisternctl")] + words, environment: ["CISTERN_BUS": bus ?? harness.address], deadline: .seconds(30))
        #expect(result.complaint.isEmpty, "completion is silent")
        return result.text.split(separator: "\n").map(String.init)
    }

    @Test func `pools, volumes, jobs, types and formats are offered`() async throws {
        try await Harness.run { harness in
            let (pool, _) = try await harness.startedPool("with space")
            _ = try await harness.startedPool("other")
            _ = try await harness.create(pool, "big disk", 4096)
            _ = try await harness.create(pool, "small", 4096)
            #expect(try await offers(harness, "pool", "info", "") == ["other", "with space"])
            #expect(try await offers(harness, "pool", "info", "o") == ["other"])
            #expect(try await offers(harness, "volume", "info", "with\\ space", "") == ["big disk", "small"])
            #expect(try await offers(harness, "volume", "info", "'with space'", "s") == ["small"])
            #expect(try await offers(harness, "volume", "create", "other", "x", "1G", "--format", "qcow2") == ["qcow2"])
            #expect(
                try await offers(harness, "volume", "create", "other", "x", "--backing", "w") == [
                    "with space/big disk", "with space/small",
                ])
            #expect(try await offers(harness, "pool", "define", "x", "").contains("dir"))
            #expect(try await offers(harness, "pool", "define", "x", "dir", "--set", "target.p") == ["target.path="])
            #expect(try await offers(harness, "job", "watch", "") == ["1", "2"])
            #expect(try await offers(harness, "pool", "def") == ["define", "define-xml"])
        }
    }

    @Test func `names are only ever names`() async throws {
        try await Harness.run { harness in
            let names = ["$(touch made)", "`touch made`", "it's", "a\"b", "back\\slash", "glob*", "-y"]
            for name in names { _ = try await harness.define(name, harness.root + "/\(name.count)\(name.first ?? "x")") }
            #expect(Set(try await offers(harness, "pool", "info", "")) == Set(names))
            #expect(entries(harness.root + "/here").isEmpty, "a name was run as a command")
        }
    }

    @Test func `nothing is offered, said or started when the daemon does not run`() async throws {
        try await Harness.run(start: false) { harness in
            let (idle, unreachable) = (
                try await offers(harness, "pool", "info", ""),
                try await offers(harness, "pool", "info", "", bus: "unix:path=/nonexistent")
            )
            #expect(idle == [] && unreachable == [])
        }
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func `each shell has a script`(shell: String) async throws {
        try await Harness.run(start: false) { harness in
            let text = try await harness.output("--generate-completion-script", shell)
            #expect(text.contains("import-libvirt") && text.contains("---completion"))
        }
    }
}
