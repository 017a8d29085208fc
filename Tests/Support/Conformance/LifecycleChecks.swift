// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern

let lifecycleChecks: [Check] = [
    Check("starting twice") { subject, findings in
        let first = try await subject.backend.start(.ignored())
        let second = try await subject.backend.start(.ignored())
        await findings.expect(!first.isEmpty, "the identity is empty, so two pools could own the same storage")
        await findings.expect(first == second, "the identity changes from \(first) to \(second)")
    },
    Check("stopping while stopped") { subject, findings in
        try await subject.backend.stop(.ignored())
        let first = try await subject.backend.start(.ignored())
        try await subject.backend.stop(.ignored())
        try await subject.backend.stop(.ignored())
        let second = try await subject.backend.start(.ignored())
        await findings.expect(first == second, "the identity changes from \(first) to \(second) over a stop")
    },
    Check("an empty pool") { subject, findings in
        let contents = try await subject.started().scan([:])
        await findings.expect(contents.volumes.isEmpty, "shows volumes: \(contents.volumes.keys.sorted())")
        await findings.expect(contents.skipped.isEmpty, "shows skipped entries: \(contents.skipped)")
    },
    Check("volumes over a stop") { subject, findings in
        guard let backend = try await subject.creating() else { return }
        let volume = try await backend.make("kept")
        try await backend.stop(.ignored())
        _ = try await backend.start(.ignored())
        let found = try await backend.scan([:]).volumes["kept"]
        await findings.expect(found != nil, "stopping the pool lost a volume")
        await findings.expect(found == nil || found?.key == volume.key, "the key is another after a stop and a start")
    },
    Check("capabilities") { subject, findings in
        let limits = (subject.backend as? any Limited)?.limits ?? [:]
        let unlimited = Operation.capabilities(of: Swift.type(of: subject.backend))
        for (operation, reason) in limits {
            await findings.expect(!reason.isEmpty, "\(operation.rawValue) is limited without a reason")
            await findings.expect(unlimited[operation] == "", "\(operation.rawValue) is limited, but never offered")
        }
        if let creating = subject.backend as? any VolumeCreating {
            await findings.expect(!type(of: creating).creatableFormats.isEmpty, "volumes can be created, but of no format")
        }
    },
    Check("deleting the pool") { subject, findings in
        guard let backend = try await subject.creating(), let buildable = backend as? any Buildable else { return }
        let volume = try await backend.make("precious")
        try await backend.stop(.ignored())
        await findings.expectError(.busy, of: "deleting a pool that holds a volume") { try await buildable.delete(.ignored()) }
        _ = try await backend.start(.ignored())
        await findings.expect(try await backend.names() == ["precious"], "a refused deletion lost the volume")
        try await backend.delete(volume, .ignored())
        try await backend.stop(.ignored())
        try await buildable.delete(.ignored())
        await findings.expectError(.unavailable, of: "starting a deleted pool") { _ = try await backend.start(.ignored()) }
        try await buildable.build(overwrite: false, .ignored())
        do { try await buildable.build(overwrite: false, .ignored()) } catch let error as StorageError {
            await findings.expect(error.code == .signatureFound, "building it again fails with \(error.code.rawValue): \(error.message)")
        }
        _ = try await backend.start(.ignored())
        await findings.expect(try await backend.names().isEmpty, "a pool that was built anew is not empty")
    },
    Check("measuring") { subject, findings in
        guard let backend = try await subject.started() as? any SpaceMeasuring else { return }
        let space = try await backend.measure()
        let scanned = try await backend.scan([:]).space
        await findings.expect(
            space.capacity == scanned.capacity, "a scan says \(scanned.capacity) bytes of capacity, measuring \(space.capacity)")
        if space.capacity != unknownSize {
            await findings.expect(space.available <= space.capacity, "more is available than there is: \(space)")
            await findings.expect(space.allocation <= space.capacity, "more is allocated than there is: \(space)")
        }
    },
]
