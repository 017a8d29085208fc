// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
import Glibc

extension DirectoryPool: Buildable {
    private static let defaultMode: UInt32 = 0o711

    /// Makes the directory and the ones above it. A directory that is there is taken as it is, but for mode, owner and
    /// copying on write, if the definition names them: a directory is nothing that `overwrite` could be about.
    public func build(overwrite: Bool, _ progress: Progress) async throws(StorageError) {
        if let ground { return try await build(ground, overwrite, progress) }
        try await blocking.run(self.action("build", nil)) { [self] in
            let made = try Directory.make(targetPath, mode: 0o700)
            do { try setAttributes(isNew: made.last == targetPath) } catch {
                for path in made.reversed() { rmdir(path) }
                throw error
            }
        }
    }

    private func build(_ ground: any Ground, _ overwrite: Bool, _ progress: Progress) async throws(StorageError) {
        try await ground.build(overwrite: overwrite, progress)
        guard ["target.mode", "target.owner", "target.group", "features.cow"].contains(where: { definition.settings[$0] != nil }) else {
            return
        }
        try await ground.mount(progress)
        do throws(StorageError) {
            try await blocking.run(self.action("build", nil)) { [self] in try setAttributes(isNew: false) }
        } catch {
            try? await ground.unmount(lazy: false, progress)
            throw error
        }
        try await ground.unmount(lazy: false, progress)
    }

    private func setAttributes(isNew: Bool) throws {
        let directory: Directory
        do throws(Errno) { directory = try Directory.open(targetPath) } catch {
            // The caller would read "unavailable" out of it, but nothing is wrong with the storage.
            throw error.code == ENOTDIR ? Errno(EEXIST) : error
        }
        let owner = definition.uint32("target.owner")
        let group = definition.uint32("target.group")
        let mode = definition.uint32("target.mode") ?? (isNew ? Self.defaultMode : nil)
        try directory.setAttributes(mode: mode, owner: owner, group: group)
        if case .bool(let on)? = definition.settings["features.cow"] {
            try setCopyOnWrite(on, of: directory, "Pool \(definition.name)", asked: "features.cow")
        }
        try directory.sync()
        try syncParent()
    }

    private func syncParent() throws(Errno) {
        guard let slash = targetPath.utf8.lastIndex(of: UInt8(ascii: "/")), slash != targetPath.startIndex else { return }
        try Directory.open(String(targetPath[..<slash])).sync()
    }

    /// Removes the directory, if nothing is in it.
    public func delete(_ progress: Progress) async throws(StorageError) {
        if let ground { return try await ground.delete(progress) }
        try await blocking.run(self.action("delete", nil)) { [self] in
            guard rmdir(targetPath) < 0 else { return }
            let failure = Errno.last
            if failure.code == ENOENT { return }
            guard failure.code == ENOTEMPTY || failure.code == EEXIST else { throw failure }
            let count = (try? openDirectory().entries().count) ?? 1
            throw StorageError(
                .busy,
                "Directory \(targetPath) of pool \(definition.name) holds \(count) \(count == 1 ? "entry" : "entries"); delete or move what is in it first."
            )
        }
    }
}
