// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import Glibc

/// Writes to a volume's beginning. Does nothing where volumes cannot be opened.
func write(_ text: String, to volume: Volume, of backend: any Backend) async throws {
    guard let opening = backend as? any VolumeOpening else { return }
    let descriptor = try await opening.open(volume, read: false, write: true)
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    guard pwrite(descriptor, bytes, bytes.count, 0) == bytes.count else { throw StorageError(.failed, "The volume cannot be written.") }
}

/// Reads from a volume's beginning; nil where volumes cannot be opened.
func read(_ count: Int, from volume: Volume, of backend: any Backend) async throws -> String? {
    guard let opening = backend as? any VolumeOpening else { return nil }
    let descriptor = try await opening.open(volume, read: true, write: false)
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: count)
    guard pread(descriptor, &bytes, count, 0) == count else { throw StorageError(.failed, "The volume cannot be read.") }
    return String(decoding: bytes, as: UTF8.self)
}

let dataChecks: [Check] = [
    Check("opening") { subject, findings in
        guard let backend = try await subject.creating(), let opening = backend as? any VolumeOpening else { return }
        let volume = try await backend.make("data")
        try await write("hello", to: volume, of: backend)
        await findings.expect(try await read(5, from: volume, of: backend) == "hello", "what was written is not what is read")
        for (read, write) in [(true, false), (false, true), (true, true)] {
            let descriptor = try await opening.open(volume, read: read, write: write)
            defer { close(descriptor) }
            var byte: UInt8 = 0
            await findings.expect((pread(descriptor, &byte, 1, 0) == 1) == read, "opened with read \(read), reading behaves otherwise")
            await findings.expect((pwrite(descriptor, &byte, 1, 0) == 1) == write, "opened with write \(write), writing behaves otherwise")
            await findings.expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0, "a descriptor would be inherited by programs")
        }
        await findings.expectError(.invalidArguments, of: "opening for nothing") {
            _ = try await opening.open(volume, read: false, write: false)
        }
    },
    Check("resizing") { subject, findings in
        guard let backend = try await subject.creating(), let resizing = backend as? any VolumeResizing else { return }
        var volume = try await backend.make("r", 1 << 20)
        let key = volume.key
        try await write("content", to: volume, of: backend)
        volume = try await resizing.resize(volume, to: 3 << 20, allowShrink: false, allocate: false, .ignored())
        await findings.expect(volume.capacity == 3 << 20, "grown to \(volume.capacity) bytes, not \(3 << 20)")
        volume = try await resizing.resize(volume, to: 5 << 20 | 77, allowShrink: false, allocate: true, .ignored())
        await findings.expect(volume.capacity == 5 << 20 | 77, "grown with allocation to \(volume.capacity) bytes")
        await findings.expect(volume.allocation >= 2 << 20, "the new part is not allocated: \(volume.allocation) bytes are")
        volume = try await resizing.resize(volume, to: volume.capacity, allowShrink: false, allocate: false, .ignored())
        await findings.expect(volume.capacity == 5 << 20 | 77, "resizing to the same size changes it")
        await findings.expectError(.shrinkRefused, of: "shrinking that was not allowed", naming: "r") { [volume] in
            _ = try await resizing.resize(volume, to: 1 << 20, allowShrink: false, allocate: false, .ignored())
        }
        await findings.expect(try await backend.scan([:]).volumes["r"]?.capacity == 5 << 20 | 77, "a refused shrinking shrinks")
        volume = try await resizing.resize(volume, to: 2 << 20, allowShrink: true, allocate: false, .ignored())
        await findings.expect(volume.capacity == 2 << 20, "shrunk to \(volume.capacity) bytes, not \(2 << 20)")
        await findings.expect(volume.key == key, "the key changes with the size")
        await findings.expect(try await backend.scan([:]).volumes["r"]?.capacity == 2 << 20, "a scan shows another size")
        if let content = try await read(7, from: volume, of: backend) {
            await findings.expect(content == "content", "the content changes with the size")
        }
    },
    Check("resizing that fails") { subject, findings in
        guard let backend = try await subject.creating(), let resizing = backend as? any VolumeResizing else { return }
        let volume = try await backend.make("r", 1 << 20)
        let space = try await backend.scan([:]).space
        if space.available < 1 << 60 {
            await findings.expectError(.noSpace, of: "growing beyond what there is", naming: "r") {
                _ = try await resizing.resize(volume, to: space.available + 1 << 50, allowShrink: false, allocate: true, .ignored())
            }
        }
        let recorder = Recorder()
        recorder.progress.cancel()
        await findings.expectError(.cancelled, of: "growing that was cancelled") {
            _ = try await resizing.resize(volume, to: 64 << 20, allowShrink: false, allocate: true, recorder.progress)
        }
        await findings.expect(try await backend.scan([:]).volumes["r"]?.capacity == 1 << 20, "resizing that failed changes the size")
    },
    Check("permissions") { subject, findings in
        guard let backend = try await subject.creating(), let permitting = backend as? any VolumePermitting else { return }
        let volume = try await backend.make("p")
        let changed = try await permitting.setPermissions(volume, Permissions(mode: 0o604))
        await findings.expect(changed.mode == 0o604, "the mode is 0\(String(changed.mode, radix: 8)), not 0604")
        await findings.expect(changed.key == volume.key, "the key changes with the mode")
        let found = try await backend.scan([:]).volumes["p"]
        await findings.expect(found?.mode == 0o604, "a scan shows another mode")
        await findings.expect(found?.owner == volume.owner && found?.group == volume.group, "owner or group changed with the mode")
        await findings.expectError(.invalidArguments, of: "a mode above 0777") {
            _ = try await permitting.setPermissions(volume, Permissions(mode: 0o4755))
        }
        await findings.expect(try await backend.scan([:]).volumes["p"]?.mode == 0o604, "a refused mode was set")
    },
]
