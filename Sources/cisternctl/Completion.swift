// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop

/// What a shell may complete a word to. Asks a service that runs, never starts one, and says nothing when something is wrong.
enum Completion {
    static let pools = kind { client, _, _ in try await client.poolNames().values.map { $0 } }
    static let jobs = kind { client, _, _ in
        try await client.objects(below: Client.jobs, .job).map { Client.number(of: $0.path) }
    }
    static let types = kind { client, _, _ in try await client.poolTypes().map(\.key) }
    static let formats = kind { client, _, _ in
        Set(try await client.poolTypes().values.flatMap { $0["volume-formats"]?.strings ?? [] }).map { $0 }
    }
    static let settings = kind { client, _, _ in
        let types = try await client.poolTypes().values
        return Set(types.flatMap { ($0["settings"]?.stringDictionary ?? [:]).keys }).map { $0 + "=" }
    }
    static let secrets = kind { client, _, _ in
        try await client.call(Client.root, .manager, "ListSecrets", Properties(), returning: [String].self)
    }
    /// The pool is the word before.
    static let volumes = kind { client, words, index in
        guard words.indices.contains(index - 1) else { return [] }
        return try await client.volumeNames(in: try await client.pool(unquoted(words[index - 1])))
    }
    static let volumesWithPools = kind { client, _, _ in
        let names = try await client.poolNames()
        return try await client.volumes(where: [:], fields: ["Pool", "Name"], limit: 10_000).compactMap { volume in
            volume.properties["Pool"]?.path.flatMap { names[$0] }.map { "\($0)/\(volume.properties.text("Name"))" }
        }
    }

    private typealias Look = @LoopActor @Sendable (Client, [String], Int) async throws -> [String]

    private static func kind(_ look: @escaping Look) -> CompletionKind {
        .custom { words, index, _ in await complete(words, index, look) }
    }

    @LoopActor
    private static func complete(_ words: [String], _ index: Int, _ look: Look) async -> [String] {
        do {
            let client = try Client(GlobalOptions.address(bus(in: words)), interactive: false)
            guard try await client.serviceOwner() != nil else { return [] }
            return try await look(client, words, index).sorted().map(quoted)
        } catch {
            return []
        }
    }

    /// A word as the script of the shell that asks wants it. bash's expands it like a command line: unquoted, the name `$(reboot)` would
    /// do what it says. zsh's takes what follows a colon for a description.
    private static func quoted(_ word: String) -> String {
        switch Terminal.environment("SAP_SHELL") {
        case "bash": "'" + word.map { $0 == "'" ? "'\\''" : "\($0)" }.joined() + "'"
        case "zsh": word.map { $0 == ":" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined()
        default: word
        }
    }

    /// What `--bus` says on the line that is being typed.
    private static func bus(in words: [String]) -> String? {
        for (index, word) in words.enumerated() {
            if word == "--bus", words.indices.contains(index + 1) { return unquoted(words[index + 1]) }
            if word.hasPrefix("--bus=") { return unquoted(String(word.dropFirst(6))) }
        }
        return nil
    }

    /// A shell hands its words over as they were typed.
    private static func unquoted(_ word: String) -> String {
        var text = ""
        var quote: Character?
        var isEscaped = false
        for character in word {
            if isEscaped {
                text.append(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
            } else if character == quote {
                quote = nil
            } else if quote == nil, character == "'" || character == "\"" {
                quote = character
            } else {
                text.append(character)
            }
        }
        return text
    }
}
