// SPDX-License-Identifier: LGPL-2.1-or-later
import EventLoop
import Foundation
import Glibc
import Testing

/// The machine that the tests of this target run on: a kernel of the lab's, which may be treated badly.
enum Guest {
    /// Whether this is one. No test here may run on a machine that somebody needs.
    static let isHere = getenv("LAB_RESULTS") != nil && access("/lab/orders", F_OK) == 0

    struct Failure: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    /// Runs a program to its end and answers what it printed, without the newline at its end.
    ///
    /// - Throws: ``Failure`` with what it complained about, unless it exits with status 0.
    @discardableResult static func run(
        _ program: String, _ arguments: String..., deadline: Duration = .seconds(60)
    ) async throws -> String {
        try await run(program, arguments, deadline: deadline)
    }

    @discardableResult static func run(
        _ program: String, _ arguments: [String], deadline: Duration = .seconds(60)
    ) async throws -> String {
        let result = try await Child.run(program, arguments, deadline: deadline)
        guard result.succeeded else { throw Failure("\(program) \(arguments) ended with \(result.status): \(result.complaint)") }
        return String(result.text.prefix { _ in true }.reversed().drop { $0 == "\n" }.reversed())
    }

    /// Writes a line into a file of the kernel's.
    static func write(_ line: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure("cannot open \(path): \(errno)") }
        defer { close(descriptor) }
        guard Glibc.write(descriptor, line, line.utf8.count) == line.utf8.count else {
            throw Failure("cannot write \(line) to \(path): \(errno)")
        }
    }

    static func entries(_ path: String) -> Set<String> {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: Set<String> = []
        while let entry = readdir(directory) { names.insert(withUnsafePointer(to: &entry.pointee.d_name.0) { String(cString: $0) }) }
        return names.subtracting([".", ".."])
    }

    /// What has been written is on the disk, and is read from there the next time.
    static func forgetCaches(of directory: String) async throws {
        try await run("sync", "--file-system", directory)
        try forget()
    }

    /// What is not waiting to be written is read from the disk the next time.
    static func forget() throws { try write("3", to: "/proc/sys/vm/drop_caches") }

    /// How many of a process's workers wait for a disk now.
    static func blockedWorkers(of pid: Int32) -> Int {
        entries("/proc/\(pid)/task").count { task in
            // The name is in brackets, and the state after it.
            (try? String(contentsOfFile: "/proc/\(pid)/task/\(task)/stat", encoding: .utf8))?.contains("(worker) D ") == true
        }
    }

    /// What is in a file; nil if it cannot be read.
    static func read(_ path: String) -> [UInt8]? { (try? Data(contentsOf: URL(fileURLWithPath: path))).map { [UInt8]($0) } }

    /// Bytes of this process that are in memory.
    static var memory: Int {
        let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
    }

    /// Bytes of a file that take space; nil if there is none.
    static func allocation(_ path: String) -> Int? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_blocks * 512 : nil
    }
}

extension Trait where Self == ConditionTrait {
    /// The test needs the kernel of the lab, and would harm another.
    static var inTheLab: Self { .enabled(if: Guest.isHere, "runs in the lab alone: make lab") }
}

extension AsyncStream where Element: Sendable {
    /// The next element; nil if the stream ends without one.
    @LoopActor func first() async -> Element? {
        for await element in self { return element }
        return nil
    }
}
