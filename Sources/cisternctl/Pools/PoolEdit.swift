// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop
import Glibc

struct PoolEdit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit", abstract: "Edits the XML of a stopped pool with $VISUAL, $EDITOR or vi.",
        discussion: "Example: EDITOR=nano cisternctl pool edit images")
    @OptionGroup var pool: PoolArgument
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let object = try await client.poolObject(pool.pool)
        guard object.properties.text("State") == "inactive" else {
            let state = object.properties.text("State")
            throw Failure(
                .failed, "Pool \(pool.pool) is \(state), and its definition can only be replaced while it is inactive; stop it first.")
        }
        let before = try await client.xml(of: object.path, .pool)
        let draft = try Draft(before, name: pool.pool)
        while true {
            try await draft.edit()
            let after = try await readFile(draft.path)
            guard after != before else { return try await finish("Nothing was changed in pool \(pool.pool).", draft, object.path, client) }
            do {
                try await replace(object.path, client, from: before, to: after)
                return try await finish("Pool \(pool.pool) is defined as edited.", draft, object.path, client)
            } catch {
                try await offerToEditAgain(error, draft)
            }
        }
    }

    @LoopActor
    private func replace(_ path: ObjectPath, _ client: Client, from before: String, to after: String) async throws {
        guard try await client.xml(of: path, .pool) == before else {
            throw Failure(.failed, "Somebody has changed pool \(pool.pool) meanwhile; look at it as it is now and edit it again.")
        }
        _ = try await client.call(
            Client.root, .manager, "DefinePoolXML", after, Properties.flags(["replace": true]), returning: ObjectPath.self)
    }

    @LoopActor
    private func finish(_ sentence: String, _ draft: Draft, _ path: ObjectPath, _ client: Client) async throws {
        draft.remove()
        if options.json { return Terminal.line(JSON.text(of: try await client.properties(path, .pool), path)) }
        Terminal.line(printable(sentence))
    }

    /// Returns when the person wants to try again.
    @concurrent
    private func offerToEditAgain(_ error: any Error, _ draft: Draft) async throws {
        let (status, message) = Failure.describe(error)
        let kept = "What you wrote is in \(draft.path)."
        let exit = ExitStatus(rawValue: status) ?? .failed
        guard Terminal.canAsk else { throw Failure(exit, "\(message) \(kept)") }
        Terminal.text(printable(message) + "\nEdit it again? [Y/n] ", to: .messages)
        let answer = readLine()?.lowercased() ?? "n"
        guard answer.isEmpty || answer == "y" || answer == "yes" else { throw Failure(exit, "Nothing was changed. \(kept)") }
    }
}

/// A private temporary file that an editor works on.
struct Draft: Sendable {
    let path: String
    private let original: String

    /// Readable by its owner alone.
    init(_ text: String, name: String) throws {
        original = text
        let folder = Terminal.environment("TMPDIR") ?? "/tmp"
        // Editors know XML by the ending.
        var template = Array("\(folder)/cistern-\(name)-XXXXXX.xml".utf8CString)
        let descriptor = mkstemps(&template, 4)
        guard descriptor >= 0 else { throw Failure(.failed, "No temporary file can be made in \(folder): \(SystemError.last.text).") }
        defer { close(descriptor) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try writeAll(Array(text.utf8), to: descriptor)
    }

    func remove() { unlink(path) }

    /// Runs the person's editor on the terminal and waits for its end. Ctrl-C belongs to the editor meanwhile.
    func edit() async throws {
        let editor = ["VISUAL", "EDITOR"].compactMap(Terminal.environment).first { !$0.isEmpty } ?? "vi"
        await Interrupt.hold()
        // The words of the variable are the person's own shell's, the file is an argument of it, and Ctrl-C is for the editor alone.
        let result = await run("/bin/sh", ["-c", "trap : INT; \(editor) \"$1\"", "sh", path])
        await Interrupt.release()
        guard result == 0 else {
            let isUnchanged = try await readFile(path) == original
            if isUnchanged { remove() }
            let kept = isUnchanged ? "" : " What you wrote is in \(path)."
            throw Failure(.failed, "The editor `\(editor)` ended with \(result), so nothing was changed; set EDITOR to another one.\(kept)")
        }
    }

    @concurrent
    private func run(_ program: String, _ arguments: [String]) async -> Int32 {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // We block Ctrl-C and ignore broken pipes; the editor shall not.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var defaults = sigset_t()
        sigemptyset(&defaults)
        sigaddset(&defaults, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var words = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var process = pid_t()
        guard posix_spawn(&process, program, nil, &attributes, &words, environ) == 0 else { return 127 }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 && errno == EINTR {}
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : 128 + signal
    }
}
