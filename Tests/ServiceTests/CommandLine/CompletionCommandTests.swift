// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

/// The script that a shell loads, run by that shell.
@Suite struct CompletionCommandTests {
    /// What bash offers for the last word of each line, whose words stand as they are typed.
    @LoopActor
    private func offers(_ harness: Harness, _ lines: [String]..., bus: String? = nil) async throws -> [[String]] {
        let type = """
            . /dev/fd/3 3<<<"$SCRIPT"; cd "$HERE"
            offer() {
                COMP_WORDS=("$@"); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_CWORD=$(($# - 1)); COMPREPLY=()
                _cisternctl "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
                [ ${#COMPREPLY[@]} = 0 ] || printf '%s\\n' "${COMPREPLY[@]}"
                echo END
            }
            while IFS=$'\\t' read -r -a words; do offer "$PROGRAM" "${words[@]/#NOTHING/}"; done <<<"$LINES_TYPED"
            """
        mkdir(harness.root + "/here", 0o755)
        let typed = lines.map { $0.map { $0.isEmpty ? "NOTHING" : $0 }.joined(separator: "\t") }.joined(separator: "\n")
        let environment = [
            "CISTERN_BUS": bus ?? harness.address, "SCRIPT": try await harness.output("--generate-completion-script", "bash"),
            "HERE": harness.root + "/here", "PROGRAM": builtProgram("cisternctl"), "LINES_TYPED": typed,
        ]
        let result = try await Child.run("/bin/bash", ["-c", type], environment: environment, deadline: .seconds(30))
        #expect(result.complaint.isEmpty, "completion is silent")
        return result.text.components(separatedBy: "END\n").dropLast().map { $0.split(separator: "\n").map(String.init) }
    }

    @Test func `pools, volumes, jobs, types and formats are offered`() async throws {
        try await Harness.run { harness in
            let (pool, _) = try await harness.startedPool("with space")
            _ = try await harness.startedPool("other")
            _ = try await harness.create(pool, "big disk", 4096)
            _ = try await harness.create(pool, "small", 4096)
            let offered = try await offers(
                harness, ["pool", "info", ""], ["pool", "info", "o"], ["volume", "info", "with\\ space", ""],
                ["volume", "info", "'with space'", "s"], ["volume", "create", "other", "x", "1G", "--format", "qcow2"],
                ["volume", "create", "other", "x", "--backing", "w"], ["pool", "define", "x", "dir", "--set", "target.p"],
                ["job", "watch", ""], ["pool", "def"], ["pool", "define", "x", "d"])
            let expected = [
                ["other", "with space"], ["other"], ["big disk", "small"], ["small"], ["qcow2"],
                ["with space/big disk", "with space/small"], ["target.path="], ["1", "2"], ["define", "define-xml"],
            ]
            for (offer, expectation) in zip(offered, expected) { #expect(offer == expectation) }
            #expect(offered.count == 10 && offered.last?.contains("dir") == true)
        }
    }

    @Test func `names are only ever names`() async throws {
        try await Harness.run { harness in
            let names = ["$(touch made)", "`touch made`", "it's", "a\"b", "back\\slash", "glob*", "-y"]
            for name in names { _ = try await harness.define(name, harness.root + "/\(name.count)\(name.first ?? "x")") }
            #expect(Set(try await offers(harness, ["pool", "info", ""])[0]) == Set(names))
            #expect(entries(harness.root + "/here").isEmpty, "a name was run as a command")
        }
    }

    @Test func `nothing is offered, said or started when the daemon does not run`() async throws {
        try await Harness.run(start: false) { harness in
            let (idle, unreachable) = (
                try await offers(harness, ["pool", "info", ""]),
                try await offers(harness, ["pool", "info", ""], bus: "unix:path=/nonexistent")
            )
            #expect(idle == [[]] && unreachable == [[]])
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
