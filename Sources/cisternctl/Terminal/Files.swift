// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc

/// What the kernel refused.
struct SystemError: Error {
    let code: Int32
    var text: String { String(cString: strerror(code)) }

    /// Right after the call that failed.
    static var last: SystemError { SystemError(code: errno) }
}

/// Writes everything, however often it takes.
func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws(SystemError) {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = write(descriptor, Array(rest), rest.count)
        if count < 0 && errno == EINTR { continue }
        if count < 0 { throw .last }
        rest = rest.dropFirst(count)
    }
}

/// Reads to the end.
func readAll(_ descriptor: Int32) throws(SystemError) -> [UInt8] {
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0 && errno == EINTR { continue }
        if count < 0 { throw .last }
        if count == 0 { return content }
        content += buffer[..<count]
    }
}

/// A file to read from; `-` is standard input. Away from the event loop: opening a pipe waits for its writer.
@concurrent
func openToRead(_ name: String) async throws -> UnixDescriptor {
    if name == "-" { return try UnixDescriptor(duplicating: STDIN_FILENO) }
    let descriptor = open(name, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure(.failed, "\(name) cannot be read: \(SystemError.last.text).") }
    return UnixDescriptor(adopting: descriptor)
}

/// A file's text; `-` is standard input, which is waited for away from the event loop.
@concurrent
func readFile(_ name: String) async throws -> String {
    let file = try await openToRead(name)
    let content: [UInt8]
    do {
        content = try readAll(file.descriptor)
    } catch {
        throw Failure(.failed, "\(name) cannot be read: \(error.text).")
    }
    guard let text = String(validating: content, as: UTF8.self) else { throw Failure(.failed, "\(name) is not UTF-8.") }
    return text
}

/// A secret as the service takes it: a descriptor of a file, of standard input for `-`, or of a pipe that holds what was typed when
/// standard input is a terminal. It never stands in an argument or a file of ours.
@concurrent
func openSecret(_ name: String, asking question: String) async throws -> UnixDescriptor {
    guard name == "-", Terminal.inputIsTerminal else { return try await openToRead(name) }
    let typed = Array(try readHidden(question).utf8)
    var ends: [Int32] = [-1, -1]
    // What a pipe holds at once is more than anybody types.
    guard typed.count <= 4096, pipe(&ends) == 0 else { throw Failure(.failed, "What was typed is too long for a secret.") }
    defer { close(ends[1]) }
    let reader = UnixDescriptor(adopting: ends[0])
    try writeAll(typed, to: ends[1])
    return reader
}

/// A line from the terminal that is not shown while it is typed.
private func readHidden(_ question: String) throws -> String {
    var before = termios()
    guard tcgetattr(STDIN_FILENO, &before) == 0 else { throw Failure(.usage, "\(question) There is no terminal to type it on.") }
    var hidden = before
    hidden.c_lflag &= ~UInt32(ECHO)
    hidden.c_lflag |= UInt32(ECHONL)
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
    HiddenInput.began(before)
    defer { HiddenInput.ended() }
    Terminal.text(question + " ", to: .messages)
    guard let typed = readLine(), !typed.isEmpty else { throw Failure(.failed, "Nothing was typed, so nothing was changed.") }
    return typed
}

/// How the terminal was before it stopped showing what is typed: Ctrl-C must leave it so, too.
enum HiddenInput {
    private static let settings = Locked<termios?>(nil)

    static func began(_ before: termios) { settings.withLock { $0 = before } }

    /// Shows what is typed again, if it was hidden.
    static func ended() {
        let before = settings.withLock { settings in
            defer { settings = nil }
            return settings
        }
        if var before { tcsetattr(STDIN_FILENO, TCSAFLUSH, &before) }
    }
}

/// A path that does not depend on the directory cisternctl runs in; the service runs in another.
func absolute(_ path: String) throws -> String {
    if path.hasPrefix("/") { return path }
    guard let here = getcwd(nil, 0) else { throw Failure(.failed, "\(path): the current directory has no path.") }
    defer { free(here) }
    return String(cString: here) + "/" + path
}

/// Paths of the files in a directory whose names end so, sorted. Hidden ones are left out.
func files(in directory: String, suffix: String) -> [String] {
    let literal = directory.map { "*?[\\".contains($0) ? "\\\($0)" : "\($0)" }.joined()
    var found = glob_t()
    guard glob("\(literal)/*\(suffix)", 0, nil, &found) == 0 else { return [] }
    defer { globfree(&found) }
    return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }
}
