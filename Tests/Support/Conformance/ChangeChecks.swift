// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern

let changeChecks: [Check] = [
    Check("renaming") { subject, findings in
        guard let backend = try await subject.creating(), let renaming = backend as? any VolumeRenaming else { return }
        let volume = try await backend.make("old")
        let other = try await backend.make("other")
        await findings.expectError(.exists, of: "renaming to a name that is taken", naming: "other") {
            _ = try await renaming.rename(volume, to: "other")
        }
        let found = try await backend.scan([:]).volumes
        await findings.expect(found["other"]?.key == other.key, "renaming replaced another volume")
        await findings.expect(found["old"]?.key == volume.key, "a refused renaming lost the volume")
        for name in awkwardNames.prefix(6) + ["new"] {
            let current = try await backend.scan([:]).volumes.values.first { $0.key == volume.key } ?? volume
            let renamed = try await renaming.rename(current, to: name)
            await findings.expect(renamed.name == name && renamed.key == volume.key, "the key changes with the name")
            await findings.expect(renamed.path != current.path, "the path stays with the old name")
            await findings.expect(try await backend.names() == ["other", name], "after renaming to \(name), a scan shows something else")
        }
    },
    Check("keys") { subject, findings in
        guard let backend = try await subject.creating() else { return }
        var keys: [String: String] = [:]
        for number in 0..<20 { keys["k\(number)"] = try await backend.make("k\(number)", 4096).key }
        await findings.expect(Set(keys.values).count == keys.count, "two volumes have the same key")
        let first = try await backend.scan([:])
        await findings.expect(first.volumes.mapValues(\.key) == keys, "a scan shows other keys than creations did")
        let second = try await backend.scan(first.volumes)
        await findings.expect(second.volumes == first.volumes, "a second scan, of what did not change, shows something else")
        let volume = try await backend.make("again", 4096)
        try await backend.delete(volume, .ignored())
        let successor = try await backend.make("again", 4096)
        await findings.expect(successor.key != volume.key, "a new volume has the key of a deleted one")
    },
    Check("scans that build on what is known") { subject, findings in
        guard let backend = try await subject.creating() else { return }
        for name in ["a", "b", "c"] { _ = try await backend.make(name, 4096) }
        var known = try await backend.scan([:]).volumes
        if let volume = known["b"] { try await backend.delete(volume, .ignored()) }
        let successor = try await backend.make("d", 8192)
        let scanned = try await backend.scan(known).volumes
        await findings.expect(
            Set(scanned.keys) == ["a", "c", "d"], "a scan keeps what is gone or misses what is new: \(scanned.keys.sorted())")
        await findings.expect(scanned["d"]?.key == successor.key, "a scan shows another key of a new volume")
        // Wrong knowledge must not survive.
        known = scanned
        known["a"]?.key = ""
        known["ghost"] = known["c"]
        await findings.expect(try await backend.scan(known).volumes == scanned, "a scan believes what it is told is known")
    },
    Check("work on a volume that is another by now") { subject, findings in
        guard let backend = try await subject.creating() else { return }
        let old = try await backend.make("name")
        try await backend.delete(old, .ignored())
        await findings.expectError(.notFound, of: "deleting what is gone", naming: "name") { try await backend.delete(old, .ignored()) }
        let new = try await backend.make("name", 2 << 20)
        await findings.expectError(.notFound, of: "deleting what is another by now", naming: "name") {
            try await backend.delete(old, .ignored())
        }
        if let resizing = backend as? any VolumeResizing {
            await findings.expectError(.notFound, of: "resizing what is another by now") {
                _ = try await resizing.resize(old, to: 4 << 20, allowShrink: true, allocate: false, .ignored())
            }
        }
        if let renaming = backend as? any VolumeRenaming {
            await findings.expectError(.notFound, of: "renaming what is another by now") { _ = try await renaming.rename(old, to: "x") }
        }
        if let permitting = backend as? any VolumePermitting {
            await findings.expectError(.notFound, of: "changing permissions of what is another by now") {
                _ = try await permitting.setPermissions(old, Permissions(mode: 0o777))
            }
        }
        if let opening = backend as? any VolumeOpening {
            await findings.expectError(.notFound, of: "opening what is another by now") {
                _ = try await opening.open(old, read: true, write: true)
            }
        }
        let found = try await backend.scan([:]).volumes
        await findings.expect(Set(found.keys) == ["name"] && found["name"]?.key == new.key, "the wrong volume was worked on")
        await findings.expect(found["name"]?.capacity == 2 << 20 && found["name"]?.mode == new.mode, "the wrong volume was changed")
    },
]
