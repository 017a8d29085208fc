// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern

/// How long a change may take to be told.
private let patience = Duration.seconds(1)

extension AsyncStream<Change> {
    /// Whether the stream says within `patience` that the name is to be looked at.
    fileprivate func mentions(_ name: String) async throws -> Bool {
        try await within(patience) {
            for await change in self {
                switch change {
                case .entry(name), .renamed(name, _), .renamed(_, name), .everything: return true
                default: continue
                }
            }
            return false
        } ?? false
    }
}

let freshnessChecks: [Check] = [
    Check("volumes made behind our back") { subject, findings in
        guard let put = subject.put else { return }
        let backend = try await subject.started()
        let before = try await backend.scan([:]).volumes
        try await put("stranger", 12345)
        let found = try await backend.scan(before).volumes["stranger"]
        await findings.expect(found?.capacity == 12345, "a scan shows \(String(describing: found?.capacity)) bytes of a volume with 12345")
        await findings.expect(
            found?.key.isEmpty == false && found?.state == .ready, "a volume made behind our back has no key, or is not ready")
        if let looking = backend as? any EntryLooking, let found {
            await findings.expect(try await looking.look(at: "stranger") == .volume(found), "looking shows another volume than scanning")
        }
        try await put("stranger", 54321)
        if let found {
            let after = try await backend.scan(["stranger": found]).volumes["stranger"]
            await findings.expect(after?.capacity == 54321, "a scan does not see that a known volume changed")
        }
    },
    Check("looking") { subject, findings in
        guard let backend = try await subject.creating(), let looking = backend as? any EntryLooking else { return }
        let volume = try await backend.make("seen")
        await findings.expect(try await looking.look(at: "seen") == .volume(volume), "looking shows another volume than its creation")
        await findings.expect(try await looking.look(at: "unseen") == .absent, "looking sees what is not there")
        try await backend.delete(volume, .ignored())
        await findings.expect(try await looking.look(at: "seen") == .absent, "looking sees what was deleted")
    },
    Check("entries that are no volumes") { subject, findings in
        guard let putForeign = subject.putForeign else { return }
        let backend = try await subject.started()
        let shown = try await putForeign("thing")
        let contents = try await backend.scan([:])
        await findings.expect(contents.volumes.isEmpty, "what is no volume is shown as one")
        await findings.expect(contents.skipped[shown]?.isEmpty == false, "what is no volume is not among the skipped: \(contents.skipped)")
        if let looking = backend as? any EntryLooking, let reason = contents.skipped[shown] {
            await findings.expect(try await looking.look(at: shown) == .skipped(reason), "looking says something else than scanning")
        }
    },
    Check("watching") { subject, findings in
        guard let put = subject.put, let backend = try await subject.started() as? any Watching else { return }
        let (kind, changes) = try await backend.watch()
        await findings.expect(kind != .none && kind != .poll, "what is watched calls itself “\(kind.rawValue)”")
        try await put("news", 4096)
        await findings.expect(try await changes.mentions("news"), "a volume made behind our back is not told of")
    },
    Check("watching for two") { subject, findings in
        guard let put = subject.put, let backend = try await subject.started() as? any Watching else { return }
        let (_, first) = try await backend.watch()
        let (_, second) = try await backend.watch()
        try await put("news", 4096)
        await findings.expect(try await first.mentions("news"), "with two who watch, the first is not told")
        await findings.expect(try await second.mentions("news"), "with two who watch, the second is not told")
    },
    Check("watching until the pool stops") { subject, findings in
        guard let backend = try await subject.started() as? any Watching else { return }
        let (_, changes) = try await backend.watch()
        try await backend.stop(.ignored())
        let ended: Bool? = try await within(patience) {
            for await _ in changes {}
            return true
        }
        await findings.expect(ended == true, "who watches is not told that the pool stopped")
    },
    Check("watching our own work") { subject, findings in
        guard let backend = try await subject.creating(), let watching = backend as? any Watching else { return }
        let (_, changes) = try await watching.watch()
        let volume = try await backend.make("a-made")
        try await backend.delete(volume, .ignored())
        _ = try await backend.make("b-made")
        await findings.expect(try await changes.mentions("b-made"), "a volume that another one made is not told of")
    },
]

extension EntryLooking {
    /// What one entry is now.
    public func look(at name: String) async throws(StorageError) -> Entry { try await look(at: [name])[name] ?? .absent }
}
