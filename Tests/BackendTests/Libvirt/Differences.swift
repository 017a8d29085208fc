// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern

/// How what libvirt prints of something may differ from what it was given.
struct Differences<Model: Equatable & Sendable> {
    struct Row: Sendable {
        let reason: String
        /// Makes the first what libvirt makes of it; the second is what libvirt printed.
        let change: @Sendable (inout Model, Model) -> Void

        init(_ reason: String, _ change: @escaping @Sendable (inout Model, Model) -> Void) {
            self.reason = reason
            self.change = change
        }
    }

    private let rows: [Row]
    /// Words of a refusal, and why libvirt prints what Cistern refuses.
    private let unreadable: [String: String]
    private var seen: Set<String> = []

    init(_ rows: [Row], unreadable: [String: String]) {
        self.rows = rows
        self.unreadable = unreadable
    }

    /// Reasons that nothing differed for.
    var unseen: [String] { (rows.map(\.reason) + unreadable.values).filter { !seen.contains($0) } }

    /// Whether the rows explain what libvirt printed.
    mutating func explain(_ ours: Model, _ theirs: Result<Model, StorageError>) -> Bool {
        switch theirs {
        case .success(let theirs):
            var changed = ours
            for row in rows {
                let before = changed
                row.change(&changed, theirs)
                if changed != before { seen.insert(row.reason) }
            }
            return changed == theirs
        case .failure(let error):
            let reasons = unreadable.filter { error.message.contains($0.key) }.map(\.value)
            seen.formUnion(reasons)
            return !reasons.isEmpty
        }
    }
}
