// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern

/// Names that are allowed and that something easily stumbles over.
let awkwardNames = [
    "with space", " leading", "trailing ", "-rf", "--help", "ünïcödé", "日本語", "🗄️", "a\u{301}", "quote\"'`$(x)", "back\\slash", "*?[x]",
    ".hidden", "...", "a&b<c>", "%n%s", "\\x41", String(repeating: "n", count: 255),
]

let creationChecks: [Check] = [
    Check("creating") { subject, findings in
        guard let backend = try await subject.creating() else { return }
        let bytes: UInt64 = 3 << 20 | 1234
        var made: [String: Volume] = [:]
        for allocation in [VolumeRequest.Allocation.sparse, .falloc, .full] {
            var request = VolumeRequest(name: allocation.rawValue, capacity: bytes, allocation: allocation)
            request.mode = 0o640
            let recorder = Recorder()
            let volume = try await backend.create(request, recorder.progress)
            await findings.expect(volume.name == request.name, "a volume asked for as \(request.name) is called \(volume.name)")
            await findings.expect(volume.state == .ready, "\(volume.name) is \(volume.state.rawValue) after its creation")
            await findings.expect(!volume.key.isEmpty && !volume.path.isEmpty, "\(volume.name) has no key or no path")
            await findings.expect(volume.capacity == bytes, "\(volume.name) has \(volume.capacity) bytes, \(bytes) were asked for")
            await findings.expect(volume.mode == 0o640, "\(volume.name) has mode 0\(String(volume.mode, radix: 8)), 0640 was asked for")
            if allocation != .sparse {
                await findings.expect(volume.allocation >= bytes, "\(volume.name) occupies \(volume.allocation) of \(bytes) bytes")
            }
            if backend.movesData(request) {
                await findings.expect(
                    recorder.total == recorder.bytes, "\(volume.name): \(recorder.bytes) bytes done of \(recorder.total ?? 0)")
                await findings.expect(!recorder.notes.isEmpty, "\(volume.name) is made by a job, and nothing was journaled")
            }
            made[volume.name] = volume
        }
        let found = try await backend.scan([:]).volumes
        await findings.expect(Set(found.keys) == Set(made.keys), "a scan shows \(found.keys.sorted()), made were \(made.keys.sorted())")
        for (name, volume) in made {
            var scanned = found[name]
            // Space may be accounted for a little later.
            scanned?.allocation = volume.allocation
            await findings.expect(
                scanned == volume, "a scan shows another \(name) than its creation: \(String(describing: scanned)), \(volume)")
        }
        await findings.expect(Set(made.values.map(\.key)).count == made.count, "two volumes have the same key")
    },
    Check("awkward names") { subject, findings in
        guard let backend = try await subject.creating() else { return }
        for name in awkwardNames {
            let volume = try await backend.make(name, 4096)
            await findings.expect(volume.name.utf8.elementsEqual(name.utf8), "“\(name)” became “\(volume.name)”")
        }
        let names = try await backend.names()
        await findings.expect(names == Set(awkwardNames), "names were changed or lost: \(names.symmetricDifference(awkwardNames))")
        for volume in try await backend.scan([:]).volumes.values { try await backend.delete(volume, .ignored()) }
        await findings.expect(try await backend.names().isEmpty, "volumes cannot be deleted by their names")
    },
    Check("creating under a name that is taken") { subject, findings in
        guard let backend = try await subject.creating() else { return }
        let first = try await backend.make("taken")
        try await write("old content", to: first, of: backend)
        for allocation in [VolumeRequest.Allocation.sparse, .full] {
            await findings.expectError(.exists, of: "creating (\(allocation.rawValue)) under a name that is taken", naming: "taken") {
                _ = try await backend.make("taken", 2 << 20, allocation)
            }
        }
        let found = try await backend.scan([:]).volumes
        await findings.expect(found["taken"]?.key == first.key, "a refused creation replaced the volume")
        await findings.expect(found["taken"]?.capacity == first.capacity, "a refused creation changed the volume's size")
        await findings.expect(found.count == 1, "a refused creation left something: \(found.keys.sorted())")
        if let content = try await read(11, from: first, of: backend) {
            await findings.expect(content == "old content", "a refused creation changed the volume's content")
        }
    },
    Check("creation that fails") { subject, findings in
        guard let backend = try await subject.creating() else { return }
        await findings.expectError(.notSupported, of: "a format that nobody knows", naming: "no-such-format") {
            _ = try await backend.create(VolumeRequest(name: "f", capacity: 4096, format: "no-such-format"), .ignored())
        }
        await findings.expect(try await backend.names().isEmpty, "a refused format leaves a volume")
        let space = try await backend.scan([:]).space
        guard space.available < 1 << 60 else { return }
        for allocation in [VolumeRequest.Allocation.falloc, .full] {
            await findings.expectError(.noSpace, of: "more than there is (\(allocation.rawValue))", naming: "huge") {
                _ = try await backend.make("huge", space.available + 1 << 50, allocation)
            }
        }
        await findings.expect(try await backend.names().isEmpty, "a volume that did not fit leaves something")
    },
    Check("creation that is cancelled") { subject, findings in
        guard let backend = try await subject.creating() else { return }
        let recorder = Recorder()
        recorder.progress.cancel()
        await findings.expectError(.cancelled, of: "a creation that was cancelled before it began") {
            _ = try await backend.create(VolumeRequest(name: "c", capacity: 1 << 20, allocation: .full), recorder.progress)
        }
        let midway = Recorder(stop: .atFirstBytes)
        let clock = ContinuousClock.now
        await findings.expectError(.cancelled, of: "a creation that was cancelled in the middle") {
            _ = try await backend.create(VolumeRequest(name: "c", capacity: 128 << 20, allocation: .full), midway.progress)
        }
        await findings.expect(ContinuousClock.now - clock < .seconds(5), "a cancelled creation goes on for seconds")
        let contents = try await backend.scan([:])
        await findings.expect(contents.volumes.isEmpty && contents.skipped.isEmpty, "a cancelled creation leaves something")
        _ = try await backend.make("c")
    },
    Check("creation that a crash interrupts") { subject, findings in
        guard let backend = try await subject.creating() else { return }
        let request = VolumeRequest(name: "j", capacity: 1 << 20, allocation: .full)
        guard backend.movesData(request) else { return }
        await findings.expectError(.failed, of: "a creation that cannot be journaled") {
            _ = try await backend.create(request, Recorder(failingJournal: true).progress)
        }
        await findings.expect(try await backend.names().isEmpty, "the volume appeared before it was journaled")
        guard let recovering = backend as? any Recovering else { return }
        let recorder = Recorder()
        let volume = try await backend.create(request, recorder.progress)
        await findings.expect(try await recovering.recover(recorder.notes), "recovering does not recognize finished work")
        await findings.expect(try await backend.names() == ["j"], "recovering removed finished work")
        try await backend.delete(volume, .ignored())
        await findings.expect(try await !recovering.recover(recorder.notes), "recovering takes work for finished of which nothing is left")
        _ = try await backend.make("j")
        await findings.expect(
            try await !recovering.recover(recorder.notes), "recovering takes another volume of that name for finished work")
        await findings.expect(try await backend.names() == ["j"], "recovering removed somebody else's volume")
    },
    Check("scanning during a creation") { subject, findings in
        guard let backend = try await subject.creating() else { return }
        let creation = Task { try await backend.make("slow", 64 << 20, .full) }
        let watcher = Task {
            var seen: Set<Volume> = []
            while !Task.isCancelled {
                if let volume = try await backend.scan([:]).volumes["slow"] { seen.insert(volume) }
                await Task.yield()
            }
            return seen
        }
        let volume = try await creation.value
        watcher.cancel()
        for partial in (try? await watcher.value) ?? [] {
            await findings.expect(
                partial.key == volume.key && partial.capacity == volume.capacity && partial.state == .ready,
                "a scan shows a volume that is not complete yet: \(partial)")
        }
    },
    Check("creating many at once") { subject, findings in
        guard let backend = try await subject.creating() else { return }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<16 { group.addTask { _ = try await backend.make("v\(number)", 1 << 20, number % 2 == 0 ? .full : .sparse) } }
            try await group.waitForAll()
        }
        let winners = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 { group.addTask { (try? await backend.make("one", 1 << 20, .full)) != nil } }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        await findings.expect(winners == 1, "of eight creations under one name, \(winners) succeed")
        await findings.expect(try await backend.names().count == 17, "of 17 volumes made at once, some are missing")
    },
]
