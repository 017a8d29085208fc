// SPDX-License-Identifier: LGPL-2.1-or-later
import Glibc

/// Standard output, standard error, and the person before them.
enum Terminal {
    /// Where text goes: results to standard output; errors, questions and progress to standard error.
    enum Stream: Int32 {
        case output = 1
        case messages = 2
    }

    static var outputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
    static var inputIsTerminal: Bool { isatty(STDIN_FILENO) == 1 }
    static var messagesAreSeen: Bool { isatty(STDERR_FILENO) == 1 }
    /// Somebody is there to be asked, and to see the question.
    static var canAsk: Bool { inputIsTerminal && messagesAreSeen }

    /// Columns of the terminal that messages go to; 80 when it does not say.
    static var width: Int {
        // A struct winsize: rows, columns, and two numbers that nobody uses.
        var size = [UInt16](repeating: 0, count: 4)
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size[1] > 0 ? Int(size[1]) : 80
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

    static func line(_ text: String, to stream: Stream = .output) { write(text + "\n", to: stream) }
    static func lines(_ texts: [String], to stream: Stream = .output) { write(texts.map { $0 + "\n" }.joined(), to: stream) }
    /// Text as it is.
    static func text(_ text: String, to stream: Stream = .output) { write(text, to: stream) }

    private static func write(_ text: String, to stream: Stream) {
        do {
            try writeAll(Array(text.utf8), to: stream.rawValue)
        } catch {
            // The reader has left (`| head`): what it wanted, it has.
            if stream == .output { exit(error.code == EPIPE ? 0 : ExitStatus.failed.rawValue) }
        }
    }
}
