// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
import EventLoop
import Glibc
import Images

extension DirectoryPool: VolumeCreating {
    public static var creatableFormats: [String] { ["raw"] + ImageFormat.all.keys.sorted() }

    public func movesData(_ request: VolumeRequest) -> Bool {
        request.format == "raw" ? bytesToTake(request) > 0 : ImageFormat.takesLong(request)
    }

    /// How much of the capacity is taken from the file system before the volume appears.
    private func bytesToTake(_ request: VolumeRequest) -> UInt64 {
        switch request.allocation {
        case .sparse, .metadata: min(request.reserve ?? 0, request.capacity)
        case .falloc, .full: request.capacity
        }
    }

    /// A volume that nobody can see yet.
    private struct Draft: Sendable {
        let place: Place
        let file: File
        /// When it was new.
        let status: FileStatus
        /// nil if the file has no name at all.
        let temporaryName: String?

        func close() {
            file.close()
            place.directory.close()
        }
    }

    public func create(_ request: VolumeRequest, _ progress: Progress) async throws(StorageError) -> Volume {
        guard Self.creatableFormats.contains(request.format) else {
            throw StorageError(
                .notSupported,
                "Pool \(definition.name) cannot create volumes of format “\(request.format)”; it can create \(Self.creatableFormats.joined(separator: ", "))."
            )
        }
        try checkName(request.name, of: "volume")
        try check(request)
        if request.format == "raw", !movesData(request), let volume = try await createEmpty(request) { return volume }
        let draft = try await makeDraft(request, progress)
        do throws(StorageError) {
            if request.format == "raw" {
                try await fill(draft, request, progress)
            } else {
                try await makeImage(draft.file, request, progress)
            }
            return try await publish(draft, request, progress)
        } catch {
            await discard(draft)
            throw error
        }
    }

    // MARK: - All at once

    /// A volume without data, made in one turn on the lane.
    ///
    /// - Returns: nil if the file system has no nameless files: then it takes more steps.
    private func createEmpty(_ request: VolumeRequest) async throws(StorageError) -> Volume? {
        let action = action("create", request.name)
        let made = try await blocking.run(action) { [self] () throws -> (Draft, Volume, isDurable: Bool)? in
            let place = try openPlace()
            guard let file = try makeNameless(in: place) else { return nil }
            try prepare(file, request)
            let draft = Draft(place: place, file: file, status: try file.status(), temporaryName: nil)
            drafts.noteNameless(draft.status)
            let volume = try name(draft, request)
            do throws(Errno) {
                let isDurable = try syncs.syncAtOnce(fileToSync(draft, request), in: place.directory)
                if isDurable { draft.close() }
                return (draft, volume, isDurable)
            } catch {
                try? takeBack(request.name, of: draft, in: place.directory)
                throw error
            }
        }
        guard let (draft, volume, isDurable) = made else { return nil }
        if !isDurable { try await makeDurable(draft, request) }
        return volume
    }

    // MARK: - Steps

    private func makeDraft(_ request: VolumeRequest, _ progress: Progress) async throws(StorageError) -> Draft {
        let (place, nameless) = try await blocking.run(self.action("create", request.name)) { [self] in
            let place = try openPlace()
            try requireAbsent(request.name, in: place)
            try requireSpace(bytesToTake(request), for: request.name, in: place)
            let file = try makeNameless(in: place)
            if let file { try prepare(file, request) }
            let draft = try file.map { Draft(place: place, file: $0, status: try $0.status(), temporaryName: nil) }
            if let draft { drafts.noteNameless(draft.status) }
            return (place, draft)
        }
        if let nameless { return nameless }
        let temporary = drafts.begin()
        let draft = try await blocking.run(self.action("create", request.name)) {
            let file: File
            do throws(Errno) { file = try place.directory.make(temporary) } catch {
                self.drafts.end(temporary)
                throw error
            }
            return Draft(place: place, file: file, status: try file.status(), temporaryName: temporary)
        }
        do throws(StorageError) {
            try await blocking.run(self.action("create", request.name)) { [self] in try prepare(draft.file, request) }
        } catch {
            await discard(draft)
            throw error
        }
        return draft
    }

    private func makeNameless(in place: Place) throws -> File? {
        guard tuning.namelessFiles else { return nil }
        do throws(Errno) { return try place.directory.makeNameless() } catch {
            guard [EOPNOTSUPP, EISDIR, EINVAL, ENOENT, ENOSYS].contains(error.code) else { throw error }
            return nil
        }
    }

    /// Makes a new, empty file one that the request can be written to.
    private func prepare(_ file: File, _ request: VolumeRequest) throws {
        if request.noCopyOnWrite { try setCopyOnWrite(false, of: file, "Volume \(request.name)", asked: "nocow") }
        if request.format == "raw" { try file.setSize(request.capacity) }
    }

    /// Where nothing is ever copied on write there is nothing to do to keep it so, and no way to have it otherwise.
    func setCopyOnWrite(_ on: Bool, of file: Descriptor, _ what: String, asked: String) throws {
        let canCopy = FilesystemKind(try file.space()).copiesOnWrite
        if try canCopy ? file.setCopyOnWrite(on) || on : !on { return }
        throw StorageError(
            .notSupported,
            "\(what) is on a file system that \(canCopy ? "always" : "never") copies on write, at \(targetPath); leave \(asked) out.")
    }

    private func requireAbsent(_ name: String, in place: Place) throws {
        do throws(Errno) { _ = try place.directory.status(of: name) } catch {
            if error.code == ENOENT { return }
            throw error
        }
        throw exists(name)
    }

    func exists(_ name: String) -> StorageError {
        StorageError(.exists, "Directory \(targetPath) of pool \(definition.name) already has an entry \(name); choose another name.")
    }

    func requireSpace(_ bytes: UInt64, for name: String, in place: Place) throws {
        let available = try place.directory.space().available
        guard bytes > available else { return }
        throw StorageError(
            .noSpace,
            "Pool \(definition.name) has \(available) bytes available, and volume \(name) needs \(bytes); free some space or make it smaller."
        )
    }

    private func fill(_ draft: Draft, _ request: VolumeRequest, _ progress: Progress) async throws(StorageError) {
        let bytes = bytesToTake(request)
        guard bytes > 0 else { return }
        let filler = SpaceFiller(blocking: blocking, file: draft.file, action: action("allocate", request.name), company: company)
        progress.total(bytes)
        progress.phase("allocating")
        let reserved = try await filler.reserve(0..<bytes, growing: true, progress)
        guard request.allocation == .full || !reserved else {
            progress.result("method", .string("fallocate"))
            return progress.advance(bytes)
        }
        if !reserved, request.allocation != .full {
            progress.result("fallback-reason", .string("the file system cannot reserve space, so zeros were written"))
        }
        progress.result("method", .string("zeros"))
        progress.phase("writing")
        try await filler.writeZeros(0..<bytes, progress)
        progress.phase("syncing")
        try await blocking.runBulk(self.action("sync", request.name)) { try draft.file.sync() }
    }

    private func publish(_ draft: Draft, _ request: VolumeRequest, _ progress: Progress) async throws(StorageError) -> Volume {
        // From here on it is done: who cancels now is told so.
        progress.phase("publishing", cancellable: false)
        try progress.checkCancelled()
        try await progress.journal(WorkNote(.link, draft.status, name: request.name).line)
        let volume = try await blocking.run(self.action("create", request.name)) { [self] in try name(draft, request) }
        try await makeDurable(draft, request)
        return volume
    }

    /// On the lane: gives the draft its attributes and then its name.
    private func name(_ draft: Draft, _ request: VolumeRequest) throws -> Volume {
        try declare(request.format, of: draft.file, draft.status)
        try draft.file.setAttributes(mode: request.mode ?? 0o600, owner: request.owner, group: request.group)
        let status = try draft.file.status()
        let key = try draft.place.keys.key(of: draft.file, status)
        let image = try self.image(of: draft.file, request, status)
        try give(draft, request.name)
        return volume(request.name, status, key: key, draft.place, image)
    }

    private func makeDurable(_ draft: Draft, _ request: VolumeRequest) async throws(StorageError) {
        do throws(StorageError) {
            try await syncs.sync(fileToSync(draft, request), in: draft.place.directory, action("create", request.name)) { draft.close() }
            if let temporary = draft.temporaryName { drafts.end(temporary) }
        } catch {
            try? await blocking.run("clean up") { [self] in try takeBack(request.name, of: draft, in: try openPlace().directory) }
            throw error
        }
    }

    /// On the lane: takes the name from a draft that could not be made durable.
    private func takeBack(_ name: String, of draft: Draft, in directory: Directory) throws(Errno) {
        state.withLock { _ = $0.undurable.insert(draft.status.identity) }
        try directory.remove(name)
        state.withLock { _ = $0.undurable.remove(draft.status.identity) }
    }

    /// Where the journal keeps the order, a name is not there without the file that it names, unless that has data.
    private func fileToSync(_ draft: Draft, _ request: VolumeRequest) -> File? {
        draft.place.keys.filesystem.ordersChanges && request.format == "raw" && !movesData(request) ? nil : draft.file
    }

    /// On the lane: what has been made, as its own header tells it.
    private func image(of file: File, _ request: VolumeRequest, _ status: FileStatus) throws -> Image {
        if request.format == "raw" { return .declaredRaw }
        var buffer = [UInt8](repeating: 0, count: Self.headerSize)
        let image = try probe(file, request.name, status, &buffer)
        if image.header.problem.isEmpty { return image }
        throw StorageError(.failed, "Cannot create volume \(request.name): what qemu-img made cannot be used: \(image.header.problem).")
    }

    /// On the lane: gives the draft its name.
    private func give(_ draft: Draft, _ name: String) throws {
        do throws(Errno) {
            if let temporary = draft.temporaryName {
                try rename(temporary, to: name, in: draft.place)
            } else {
                try draft.place.directory.link(draft.file, as: name)
            }
        } catch {
            if error.code == EEXIST { throw exists(name) }
            throw error
        }
    }

    /// Leaves nothing of the draft. In a task of its own, since the caller's may be cancelled.
    private func discard(_ draft: Draft) async {
        let (blocking, drafts) = (blocking, drafts)
        await Task {
            // What cannot be removed now, because the file system hangs, is swept when the pool starts again.
            if let temporary = draft.temporaryName { drafts.end(temporary) }
            try? await blocking.run("clean up") {
                draft.file.close()
                if let temporary = draft.temporaryName { try draft.place.directory.remove(temporary) }
                draft.place.directory.close()
            }
        }.value
    }
}
