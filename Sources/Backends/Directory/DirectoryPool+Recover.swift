// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
import EventLoop
import Glibc
import Images

extension DirectoryPool: Recovering {
    public func recover(_ notes: [String]) async throws(StorageError) -> Bool {
        // Never in the place where the file system would be mounted.
        try await ground?.mount(Progress.ignored())
        try await blocking.run(self.action("recover", nil)) { [self] in
            for process in notes.compactMap(ProcessNote.init(line:)) { process.end() }
            let place = try openPlace()
            drafts.sweep(try place.directory.entries(), of: place.directory)
            try place.directory.sync()
        }
        var isComplete = false
        for note in notes.compactMap(WorkNote.init) { isComplete = try await finish(note) || isComplete }
        return isComplete
    }

    private func finish(_ note: WorkNote) async throws(StorageError) -> Bool {
        let action = action("recover", note.name)
        guard case .resize(let old, let new) = note.work else {
            return try await blocking.run(action) { [self] in try finish(note, in: try openPlace()) }
        }
        for _ in 0..<Self.tries {
            if try await blocking.run(action, { [self] in try !isOpen(note, in: try openPlace()) }) { break }
            try? await blocking.lane.sleep(for: Self.moment)
        }
        // Reading what may be ours to take away again takes its time.
        let image = try await blocking.runBulk(action) { [self] in try imageToMend(note, in: try openPlace()) }
        guard let image else { return try await blocking.runBulk(action) { [self] in try finish(note, in: try openPlace()) } }
        defer { image.close() }
        return try await mendImage(image, of: note.name, from: old, to: new)
    }

    /// A program that was killed with us may have the file open for a moment yet.
    private static let moment = Duration.milliseconds(200)
    private static let tries = 15

    /// On the lane: whether somebody has the file open.
    private func isOpen(_ note: WorkNote, in place: Place) throws -> Bool {
        guard let reference = try? place.directory.look(at: note.name), note.matches(try reference.status()) else { return false }
        do {
            try Lease(reference, path: path(of: note.name), excluding: .opening).close()
            return false
        } catch is Lease.Taken {
            return true
        }
    }

    /// On the lane: the file, if it is an image that may have been cut in the middle.
    private func imageToMend(_ note: WorkNote, in place: Place) throws -> File? {
        guard let reference = try? place.directory.look(at: note.name), note.matches(try reference.status()) else { return nil }
        guard let lease = try? Lease(reference, path: path(of: note.name), writable: true, excluding: .opening) else { return nil }
        lease.end()  // qemu-img is to open it
        guard let file = lease.file else { return nil }
        var buffer = [UInt8](repeating: 0, count: Self.headerSize)
        let image = try probe(file, note.name, try file.status(), &buffer)
        return image.header.format == "qcow2" ? file : nil
    }

    /// Has an image repaired and given the size that it was to have.
    ///
    /// What was cut off may have lost the clusters behind the new end while the tables still name them: from the old size on it is done
    /// again. Each step may leave a cluster that nothing refers to, hence the repairs.
    private func mendImage(_ file: File, of name: String, from old: UInt64, to capacity: UInt64) async throws(StorageError) -> Bool {
        let tool = ImageTool(action: action("recover", name))
        let path = ImageTool.path(file)
        await repair(path, tool)
        for size in [max(old, capacity), capacity] {
            try await tool.run(
                ["resize", "-q", "-f", "qcow2", "--shrink", path, String(size)], deadline: Self.mendingTime, Progress.ignored())
            await repair(path, tool)
        }
        try await blocking.runBulk(self.action("recover", name)) { try file.sync() }
        return true
    }

    /// Whether it succeeds tells how much there was to be repaired; only that somebody else is at it is a failure, and is waited for.
    private func repair(_ path: String, _ tool: ImageTool) async {
        for _ in 0..<Self.tries {
            do throws(StorageError) {
                return try await tool.run(
                    ["check", "-q", "-f", "qcow2", "-r", "all", path], deadline: Self.mendingTime, Progress.ignored())
            } catch {
                guard error.code == .busy else { return }
            }
            try? await blocking.lane.sleep(for: Self.moment)
        }
    }

    private static let mendingTime = Duration.seconds(600)

    /// On the lane: finishes or undoes one thing.
    ///
    /// - Returns: whether it is complete.
    private func finish(_ note: WorkNote, in place: Place) throws -> Bool {
        let status: FileStatus?
        do throws(Errno) { status = try place.directory.status(of: note.name) } catch {
            guard error.code == ENOENT else { throw error }
            status = nil
        }
        let isThere = status.map(note.matches) ?? false
        switch note.work {
        case .link: return isThere
        case .delete: return !isThere
        case .resize(let old, let new): return isThere ? try finishResize(note, old, new, in: place) : false
        }
    }

    private func finishResize(_ note: WorkNote, _ old: UInt64, _ new: UInt64, in place: Place) throws -> Bool {
        let reference = try place.directory.look(at: note.name)
        let status = try reference.status()
        guard note.matches(status) else { return false }
        let lease: Lease
        // Whoever has it open by now has taken it as it is.
        do { lease = try Lease(reference, path: path(of: note.name), writable: true, excluding: .opening) } catch is Lease.Taken {
            return status.size == new
        }
        defer { lease.close() }
        guard let file = lease.file else { return status.size == new }
        var buffer = [UInt8](repeating: 0, count: Self.headerSize)
        let image = try probe(file, note.name, status, &buffer)
        if image.header.format != "raw" { return image.header.capacity == new }
        if status.size == new { return true }
        guard status.size == old || old < status.size && status.size < new && isZero(file, old..<status.size) else { return false }
        // The same size, or the one it had: what was reserved behind its end is given back.
        try file.setSize(old)
        try file.sync()
        return false
    }

    /// Whether the range is but zeros, and thus what we were writing. It may have become somebody's data since.
    private func isZero(_ file: File, _ range: Range<UInt64>) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset = range.lowerBound
        while offset < range.upperBound {
            guard let count = try? file.read(&buffer, at: offset), count > 0 else { return false }
            if buffer[..<min(count, Int(clamping: range.upperBound - offset))].contains(where: { $0 != 0 }) { return false }
            offset += UInt64(count)
        }
        return true
    }
}

/// What the journal holds of work on a file: `link INODE BIRTH NAME`, `delete INODE BIRTH NAME`, `resize OLD NEW INODE BIRTH NAME`.
struct WorkNote {
    /// What is to become of the file.
    enum Work {
        /// It is about to get the name.
        case link
        /// It is about to lose it.
        case delete
        /// The volume's capacity in bytes, before and afterwards.
        case resize(old: UInt64, new: UInt64)
    }

    let work: Work
    let name: String
    private let inode: UInt64
    private let born: Int64

    init(_ work: Work, _ status: FileStatus, name: String) {
        self.work = work
        self.name = name
        inode = status.identity.inode
        born = status.born
    }

    init?(_ line: String) {
        var words = line.split(separator: " ", maxSplits: line.hasPrefix("resize ") ? 5 : 3, omittingEmptySubsequences: false)[...]
        switch words.popFirst() {
        case "link": work = .link
        case "delete": work = .delete
        case "resize":
            guard let old = words.popFirst().flatMap({ UInt64($0) }), let new = words.popFirst().flatMap({ UInt64($0) }) else { return nil }
            work = .resize(old: old, new: new)
        default: return nil
        }
        guard let inode = words.popFirst().flatMap({ UInt64($0) }), let born = words.popFirst().flatMap({ Int64($0) }),
            let name = words.popFirst()
        else { return nil }
        self.inode = inode
        self.born = born
        self.name = String(name)
    }

    var line: String {
        let what =
            switch work {
            case .link: "link"
            case .delete: "delete"
            case .resize(let old, let new): "resize \(old) \(new)"
            }
        return "\(what) \(inode) \(born) \(name)"
    }

    func matches(_ status: FileStatus) -> Bool { status.isRegular && status.identity.inode == inode && status.born == born }
}
