// SPDX-License-Identifier: LGPL-2.1-or-later
import Images
import Testing

/// A file that exists as a few pieces of bytes; between them it is zero.
struct FakeImage: Sendable {
    struct Piece: Sendable {
        var offset: UInt64
        var bytes: [UInt8]
    }

    var name = "image"
    var length: UInt64
    var pieces: [Piece]
    /// Set for formats that a probe does not tell.
    var declared: String?

    init(name: String = "image", length: UInt64 = 0, as declared: String? = nil, _ pieces: (UInt64, [UInt8])...) {
        self.name = name
        self.declared = declared
        self.pieces = pieces.map { Piece(offset: $0.0, bytes: $0.1) }
        self.length = max(length, self.pieces.map { $0.offset + UInt64($0.bytes.count) }.max() ?? 0)
    }

    func read(_ offset: UInt64, _ count: Int) -> [UInt8] {
        guard offset < length else { return [] }
        var bytes = [UInt8](repeating: 0, count: Int(min(UInt64(count), length - offset)))
        let end = offset + UInt64(bytes.count)
        for piece in pieces {
            let (start, stop) = (max(piece.offset, offset), min(piece.offset + UInt64(piece.bytes.count), end))
            guard start < stop else { continue }
            let source = piece.bytes[Int(start - piece.offset)..<Int(stop - piece.offset)]
            bytes.replaceSubrange(Int(start - offset)..<Int(stop - offset), with: source)
        }
        return bytes
    }

    /// The answer, after it has kept the promises that hold for every file whatsoever.
    @discardableResult
    func examine(sourceLocation: SourceLocation = #_sourceLocation) -> ImageHeader {
        let header = read(0, ImageProbe.headerSize)
        var asked = 0
        let more = { (offset: UInt64, count: Int) -> [UInt8] in
            asked += 1
            #expect(count > 0 && count <= ImageProbe.pieceLimit, sourceLocation: sourceLocation)
            return read(offset, count)
        }
        let image: ImageHeader
        if let declared {
            image = ImageProbe.examine(header.span, length: length, name: name, as: declared, more: more)
        } else {
            image = ImageProbe.examine(header.span, length: length, name: name, more: more)
        }
        let broken = brokenPromises(image) + (asked <= ImageProbe.pieceCount ? [] : ["asked \(asked) times"])
        if !broken.isEmpty { Issue.record("\(broken): \(image)", sourceLocation: sourceLocation) }
        return image
    }

    private func brokenPromises(_ image: ImageHeader) -> [String] {
        var broken: [String] = []
        if let capacity = image.capacity, capacity > UInt64(Int64.max) { broken.append("absurd capacity") }
        if !image.problem.isEmpty, image.capacity != nil { broken.append("capacity in spite of a problem") }
        if image.problem.isEmpty, image.capacity == nil, image.format != "raw", image.format != "iso" { broken.append("no capacity") }
        let names = [image.backing?.file, image.dataFile].compactMap(\.self) + image.extents
        if names.contains(where: { $0.utf8.count > 1023 * 3 || $0.utf8.contains(0) }) { broken.append("bad name") }
        if let declared, image.format != declared { broken.append("another format than declared") }
        return broken
    }

    /// With one byte set, counted through all pieces.
    func setting(_ index: Int, to byte: UInt8) -> FakeImage {
        var (copy, index) = (self, index)
        for number in copy.pieces.indices {
            let count = copy.pieces[number].bytes.count
            if index < count {
                copy.pieces[number].bytes[index] = byte
                return copy
            }
            index -= count
        }
        return copy
    }

    /// Bytes in all pieces.
    var count: Int { pieces.reduce(0) { $0 + $1.bytes.count } }

    func truncated(to length: UInt64) -> FakeImage {
        var copy = self
        copy.length = min(length, self.length)
        return copy
    }
}

/// Bytes of a header, field by field.
struct HeaderBytes {
    private(set) var bytes: [UInt8]

    init(_ count: Int) { bytes = Array(repeating: 0, count: count) }

    mutating func put(_ offset: Int, _ text: String) { bytes.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8) }
    mutating func put(_ offset: Int, _ values: [UInt8]) { bytes.replaceSubrange(offset..<offset + values.count, with: values) }

    mutating func big(_ offset: Int, _ value: some FixedWidthInteger) {
        for index in 0..<value.bitWidth / 8 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (value.bitWidth - 8 - index * 8)) }
    }

    mutating func little(_ offset: Int, _ value: some FixedWidthInteger) { big(offset, value.byteSwapped) }

    static func make(_ count: Int, _ fill: (inout HeaderBytes) -> Void) -> [UInt8] {
        var header = HeaderBytes(count)
        fill(&header)
        return header.bytes
    }
}
