// SPDX-License-Identifier: LGPL-2.1-or-later

/// Where the JSON area of a LUKS2 header says that the data is: "LUKS2 On-Disk Format Specification" 1.1.1, section 3.3 "Segments
/// object". A segment has an `offset` in bytes and a `size`, both decimal strings, or the size `dynamic`: to the device's end.
struct LUKSSegments {
    private struct Segment {
        var offset: UInt64?
        /// Nil if dynamic.
        var size: UInt64?
        /// Kept from before a re-encryption, to return to; not part of the disk.
        var isBackup = false
    }

    private var segments: [Segment] = []

    init(_ area: [UInt8]) throws(Flaw) {
        var json = JSONScanner(area)
        guard json.beginObject() else { throw Flaw("its JSON area is damaged") }
        while let key = json.nextKey() {
            guard key == "segments" else {
                guard json.skipValue() else { break }
                continue
            }
            try readSegments(&json)
            return
        }
        throw Flaw("its JSON area is truncated or has no segments")
    }

    private mutating func readSegments(_ json: inout JSONScanner) throws(Flaw) {
        guard json.beginObject() else { throw Flaw("its JSON area is damaged") }
        while json.nextKey() != nil {
            guard segments.count < 64, json.beginObject() else { throw Flaw("its segments are not valid") }
            segments.append(try segment(&json))
        }
        guard !json.isBroken, !segments.isEmpty else { throw Flaw("its segments are truncated or missing") }
    }

    private func segment(_ json: inout JSONScanner) throws(Flaw) -> Segment {
        var segment = Segment()
        while let key = json.nextKey() {
            switch key {
            case "offset": segment.offset = json.string().flatMap(number)
            case "size":
                guard let text = json.string() else { throw Flaw("one of its segments has no valid size") }
                segment.size = number(text)
                guard text == "dynamic" || segment.size != nil else { throw Flaw("one of its segments has no valid size") }
            case "flags": segment.isBackup = json.value(mentions: "\"backup-")
            default: _ = json.skipValue()
            }
        }
        return segment
    }

    /// Size of the disk that a file of this length holds.
    func size(in length: UInt64) throws(Flaw) -> UInt64 {
        var total: UInt64 = 0
        for segment in segments where !segment.isBackup {
            guard let offset = segment.offset, offset >= 4096 else { throw Flaw("its data lies in another file") }
            try require("data", at: offset, count: segment.size ?? 0, within: length)
            let size = segment.size ?? (length > offset ? length - offset : 0)
            let (sum, overflow) = total.addingReportingOverflow(size)
            guard !overflow else { throw Flaw("its size is out of range") }
            total = sum
        }
        return total
    }

    /// Decimal digits alone: `UInt64("+1")` would be 1.
    private func number(_ text: String) -> UInt64? { text.utf8.allSatisfy { (48...57).contains($0) } ? UInt64(text) : nil }
}
