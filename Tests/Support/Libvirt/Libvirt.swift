// SPDX-License-Identifier: LGPL-2.1-or-later
import EventLoop
import Foundation

/// libvirt's schemas and its client, as Debian's packages bring them.
public enum Libvirt {
    /// Something is not installed, or did not end well.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// The file of a schema: `storagepool`, `storagevol`.
    public static func schema(_ name: String) -> String { "/usr/share/libvirt/schemas/\(name).rng" }

    // MARK: - Schemas

    /// What xmllint says against documents, by their index; nothing for those that are valid.
    public static func complaints(about documents: [String], schema name: String) async throws -> [Int: String] {
        Loop.shared.startThread()
        let files = try Files(documents)
        defer { files.remove() }
        var complaints: [Int: String] = [:]
        for batch in files.indices(by: 500) {
            let paths = batch.map(files.path)
            let result = try await Child.run("xmllint", ["--noout", "--relaxng", schema(name)] + paths, deadline: .seconds(120))
            let lines = result.complaint.split(separator: "\n")
            for (index, path) in zip(batch, paths) where !lines.contains("\(path) validates") {
                let own = lines.filter { $0.hasPrefix(path) }.map { $0.dropFirst(path.utf8.count) }
                complaints[index] = own.isEmpty ? result.complaint : own.joined(separator: "\n")
            }
        }
        return complaints
    }

    // MARK: - The client

    /// What one command of virsh printed.
    public struct Reply: Sendable {
        public let text: String
        public var isError: Bool { text.hasPrefix("error:") }
    }

    /// Runs the commands of each document, given the path of its file; what they answered, in the same order.
    ///
    /// The commands of one document meet the same virsh, and with it the same test driver; those of two documents may not.
    /// - Parameter uri: what to connect to.
    public static func virsh(_ uri: String, _ documents: [String], _ commands: (Int, String) -> [String]) async throws -> [[Reply]] {
        Loop.shared.startThread()
        let files = try Files(documents)
        defer { files.remove() }
        var replies: [[Reply]] = []
        for batch in files.indices(by: 150) {
            replies += try await virsh(uri, batch.map { commands($0, files.path($0)) })
        }
        return replies
    }

    private static let mark = "-=-=-=-"

    /// Groups of commands, in one virsh.
    private static func virsh(_ uri: String, _ groups: [[String]]) async throws -> [[Reply]] {
        let commands = groups.flatMap { $0 }
        let script = commands.map { "\($0); echo \(mark)" }.joined(separator: "; ")
        let shell = #"exec virsh -q -c "$1" "$2" 2>&1"#
        let result = try await Child.run("sh", ["-c", shell, "sh", uri, script], deadline: .seconds(120))
        var texts = result.text.components(separatedBy: mark)
        guard texts.count == commands.count + 1 else {
            throw Failure(description: "virsh answered \(texts.count - 1) of \(commands.count) commands: \(result.text.suffix(500))")
        }
        return groups.map { group in
            defer { texts.removeFirst(group.count) }
            return texts.prefix(group.count).map { Reply(text: $0) }
        }
    }
}

/// Documents in files of a directory of their own.
private struct Files {
    private let directory: URL
    private let count: Int

    init(_ documents: [String]) throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("cistern-test-" + UUID().uuidString)
        count = documents.count
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        for (index, document) in documents.enumerated() {
            try document.write(toFile: path(index), atomically: false, encoding: .utf8)
        }
    }

    func path(_ index: Int) -> String { "\(directory.path)/\(index).xml" }

    func indices(by size: Int) -> [Range<Int>] { stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) } }

    func remove() { try? FileManager.default.removeItem(at: directory) }
}
