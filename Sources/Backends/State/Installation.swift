// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
public import EventLoop
import Glibc

/// What tells this installation of the service from every other one, on this host or another: made once, kept in the state directory.
public enum Installation {
    private static let file = "installation"

    /// Sixteen hexadecimal digits.
    public static func name(state: String, lane: Lane) async throws(StorageError) -> String {
        try await Blocking(state: "directory \(state)", lane).keep("use the directory \(state)") {
            let folder = try StateFolder(state)
            if let bytes = try? folder.read(file), bytes.count == 16, bytes.allSatisfy({ isDigit($0) }) {
                return String(decoding: bytes, as: UTF8.self)
            }
            let name = hex(UInt64.random(in: 0x1000_0000_0000_0000 ... .max))
            try folder.replace(file, Array(name.utf8))
            return name
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}
