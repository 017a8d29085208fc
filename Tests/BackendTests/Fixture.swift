// SPDX-License-Identifier: LGPL-2.1-or-later
import Backends
import Cistern
import EventLoop
import Glibc
import TestSupport

/// Threads and the inotify instance that all tests of this target share.
enum Shared {
    static let workers = Workers()
    static let drafts = Drafts(owner: "test")
    static let inotify: Inotify = {
        Loop.shared.startThread()
        return Inotify()
    }()
}

/// A directory that is removed with the last reference.
final class TemporaryDirectory: Sendable {
    let path: String

    /// - Parameter parent: tells on which file system.
    init(in parent: String = "/tmp") throws {
        var template = Array("\(parent)/cistern-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure("cannot make a directory in \(parent)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { remove(path) }

    func callAsFunction(_ name: String) -> String { path + "/" + name }

    /// All names, sorted by bytes, whatever they begin with.
    var names: [String] { TestFiles.names(path) }

    private func remove(_ path: String) {
        for name in TestFiles.names(path) {
            let child = path + "/" + name
            if unlink(child) < 0 { remove(child) }
        }
        // Names that are no text are left to the shell.
        if rmdir(path) < 0, errno == ENOTEMPTY { _ = TestFiles.run("rm", "-rf", path) }
    }
}

struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Files, made without the code under test.
enum TestFiles {
    static func names(_ path: String) -> [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    static func make(_ path: String, _ bytes: UInt64 = 0, content: String = "") throws {
        let descriptor = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Failure("cannot make \(path)") }
        defer { close(descriptor) }
        if !content.isEmpty { _ = content.withCString { write(descriptor, $0, content.utf8.count) } }
        guard bytes == 0 || ftruncate(descriptor, Int(bytes)) == 0 else { throw Failure("cannot size \(path)") }
    }

    static func status(_ path: String) -> stat? {
        var status = stat()
        return lstat(path, &status) == 0 ? status : nil
    }

    /// Runs a program and waits; its exit status, or -1.
    @discardableResult
    static func run(_ arguments: String...) -> Int32 {
        guard let pid = spawn(arguments) else { return -1 }
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        return status & 0x7F == 0 ? status >> 8 & 0xFF : -1
    }

    static func spawn(_ arguments: [String]) -> pid_t? {
        var pid = pid_t()
        var raw: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for pointer in raw { free(pointer) } }
        return posix_spawnp(&pid, arguments[0], nil, nil, &raw, environ) == 0 ? pid : nil
    }

    /// What a symbolic link says; empty if it is none.
    static func target(of path: String) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
            guard let start = buffer.baseAddress else { return "" }
            let count = readlink(path, start, buffer.count)
            return String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}

extension DirectoryPool {
    /// A pool of the directory, not started.
    static func make(
        _ path: String, lane: Lane = Shared.workers.lane("test"), inotify: Inotify = Shared.inotify, tuning: Tuning = Tuning(),
        settings: [String: Value] = [:]
    ) throws -> DirectoryPool {
        let all = settings.merging(["target.path": .string(path)]) { mine, _ in mine }
        let definition = PoolDefinition(name: "p", uuid: "11111111-2222-4333-8444-555555555555", type: "dir", settings: all)
        return try DirectoryPool(definition, lane: lane, inotify: inotify, drafts: Shared.drafts, tuning: tuning)
    }

    /// A pool of the directory, started.
    static func started(_ directory: TemporaryDirectory, tuning: Tuning = Tuning()) async throws -> DirectoryPool {
        let pool = try make(directory.path, tuning: tuning)
        _ = try await pool.start(.ignored())
        return pool
    }

    func volume(_ name: String) async throws -> Volume {
        guard let volume = try await scan([:]).volumes[name] else { throw Failure("no volume \(name)") }
        return volume
    }
}

extension Subject {
    /// A directory pool in a new directory.
    static func directory(in parent: String = "/tmp", tuning: DirectoryPool.Tuning = .init()) throws -> Subject {
        let directory = try TemporaryDirectory(in: parent)
        return Subject(
            try DirectoryPool.make(directory.path, tuning: tuning),
            put: { name, bytes in try TestFiles.make(directory(name), bytes) },
            putForeign: { name in
                guard mkfifo(directory(name), 0o600) == 0 else { throw Failure("cannot make a pipe") }
                return name
            },
            cleanUp: { _ = directory.path })
    }

    /// A simulated pool on an empty disk.
    static func simulated(_ wrap: @Sendable (SimulatedPool) -> any Backend = { $0 }) throws -> Subject {
        let disk = SimulatedDisk()
        disk.behave { $0.throttle = 1 << 30 }
        let definition = PoolDefinition(name: "s", uuid: "11111111-2222-4333-8444-666666666666", type: "simulated", settings: [:])
        return Subject(
            wrap(try SimulatedPool(definition, disk: disk)), put: { disk.put($0, capacity: $1) },
            putForeign: { name in
                disk.putSkipped(name, "a simulated socket")
                return name
            })
    }
}

/// The error that the body fails with.
func failure(_ body: () async throws -> Void) async -> StorageError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? StorageError ?? StorageError(.failed, "not a StorageError: \(error)")
    }
}
