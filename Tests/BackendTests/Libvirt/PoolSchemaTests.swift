// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import TestSupport
import Testing

/// Cistern's pools, held against libvirt's schema.
@Suite struct PoolSchemaTests {
    private let corpus: PoolCorpus

    init() throws { corpus = try PoolCorpus.shared.get() }

    @Test func `every pool that libvirt's schema allows is accepted, or refused by name`() {
        var refusals = Refusals(Self.refused)
        for sample in corpus.samples {
            guard case .failure(let error) = sample.outcome else { continue }
            if let problem = refusals.problem(with: error, sample.text) {
                Issue.record("“\(error.message)”: \(problem)\n\(sample.text)")
            }
        }
        #expect(refusals.unseen.isEmpty, "nothing is refused by these")
    }

    /// Words of a refusal, and why.
    private static let refused: [String: String] = [
        "must not contain control characters": "a name is shown in lists and logs",
        "octal permission bits from 0 to 0777": "libvirt too reads no more, whatever its schema says",
    ]

    @Test func `there are accepted pools of every type`() {
        for (type, samples) in Dictionary(grouping: corpus.samples, by: \.type) {
            #expect(samples.contains { $0.definition != nil } == !PoolCorpus.foreign.contains(type), "\(type)")
        }
    }

    @Test func `what is accepted is printed and read as the same`() throws {
        for (sample, definition) in corpus.accepted {
            let text = definition.xml()
            #expect(PoolCorpus.outcome(text) == .success(definition), "\(sample.text)\n\(text)")
        }
    }

    @Test func `the compatible XML of what is accepted is valid`() async throws {
        let accepted = corpus.accepted
        let texts = accepted.map { PoolCorpus.compatible($0.definition) }
        for (index, complaint) in try await Libvirt.complaints(about: texts, schema: "storagepool") {
            Issue.record("\(complaint)\n\(texts[index])\nof\n\(accepted[index].sample.text)")
        }
        #expect(!texts.isEmpty)
    }
}
