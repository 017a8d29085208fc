// SPDX-License-Identifier: LGPL-2.1-or-later
import Glibc

/// Standard output, standard error, and the person before them.
enum Terminal {
    static var outputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
    static var inputIsTerminal: Bool { isatty(STDIN_FILENO) == 1 }

    /// Columns of the terminal; 80 when it does not say.
    static var width: Int {
        var size = winsize()
        return ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }

    /// Whether the locale lets us draw with more than ASCII.
    static var speaksUnicode: Bool {
        for name in ["LC_ALL", "LC_CTYPE", "LANG"] {
            guard let value = environment(name), !value.isEmpty else { continue }
            let lowered = value.lowercased()
            return lowered.contains("utf-8") || lowered.contains("utf8")
        }
        return false
    }

    static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// A line on standard output.
    static func line(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }
    static func lines(_ texts: [String]) { write(texts.map { $0 + "\n" }.joined(), to: STDOUT_FILENO) }
    /// Text on standard output, as it is.
    static func text(_ text: String) { write(text, to: STDOUT_FILENO) }
    /// A line on standard error.
    static func complain(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = Glibc.write(descriptor, Array(bytes), bytes.count)
            if count < 0 && errno == EINTR { continue }
            // The reader has left (`| head`): what it wanted, it has.
            if count < 0 && descriptor == STDOUT_FILENO { exit(errno == EPIPE ? 0 : ExitStatus.failed.rawValue) }
            if count <= 0 { return }
            bytes = bytes.dropFirst(count)
        }
    }
}

/// Asks a yes-or-no question; no is what Enter says. Nobody there to ask is a usage error that names `--yes`.
///
/// Waits for the answer away from the event loop, which has Ctrl-C to serve.
@concurrent
func confirm(_ question: String, _ confirmation: Confirmation) async throws {
    if confirmation.yes { return }
    guard Terminal.inputIsTerminal else { throw Failure(.usage, "\(question) There is no terminal to ask on: pass --yes.") }
    Terminal.text(question + " [y/N] ")
    let answer = readLine()?.lowercased() ?? ""
    guard answer == "y" || answer == "yes" else { throw Failure(.failed, "Nothing was changed.") }
}

/// A file's text; `-` is standard input.
@concurrent
func readFile(_ name: String) async throws -> String {
    let descriptor = name == "-" ? dup(STDIN_FILENO) : open(name, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure(.failed, "\(name) cannot be read: \(String(cString: strerror(errno))).") }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw Failure(.failed, "\(name) cannot be read: \(String(cString: strerror(errno))).") }
        if count == 0 { break }
        content += buffer[..<count]
    }
    guard let text = String(validating: content, as: UTF8.self) else { throw Failure(.failed, "\(name) is not UTF-8.") }
    return text
}

/// A path that does not depend on the directory cisternctl runs in; the service runs in another.
func absolute(_ path: String) throws -> String {
    if path.hasPrefix("/") { return path }
    guard let here = getcwd(nil, 0) else { throw Failure(.failed, "\(path): the current directory has no path.") }
    defer { free(here) }
    return String(cString: here) + "/" + path
}
