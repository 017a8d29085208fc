// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import TestSupport
import XML

/// Random volumes that libvirt's schema accepts, and what Cistern makes of each.
struct VolumeCorpus {
    struct Sample {
        let volume: Element
        let text: String
        let outcome: Result<ParsedVolume, StorageError>
    }

    /// The same in every test and every run.
    static let shared = Result { try VolumeCorpus(seed: 2027, count: 2000) }

    let samples: [Sample]

    private init(seed: UInt64, count: Int) throws {
        var generator = DocumentGenerator(try Grammar(contentsOfFile: Libvirt.schema("storagevol")), seed: seed)
        samples = try (0..<count).map { _ in
            let volume = try generator.document()
            let text = Writer().print(volume)
            return Sample(volume: volume, text: text, outcome: Self.outcome(text))
        }
    }

    /// What Cistern makes of a text.
    static func outcome(_ text: String) -> Result<ParsedVolume, StorageError> {
        Result { () throws(StorageError) in try VolumeRequest.parse(xml: text) }
    }

    /// Those that are accepted.
    var accepted: [(sample: Sample, parsed: ParsedVolume)] {
        samples.compactMap { sample in (try? sample.outcome.get()).map { (sample, $0) } }
    }
}
