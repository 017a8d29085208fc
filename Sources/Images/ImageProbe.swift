// SPDX-License-Identifier: LGPL-2.1-or-later

/// Tells the format of a file from its first bytes, and reads what an image's header says.
///
/// Nothing here does I/O, keeps state or trusts a byte: whatever a file contains, an answer comes after bounded work, and a header that
/// is truncated or absurd is an answer with a `problem`. Names that a header contains are never followed.
public enum ImageProbe {
    /// How much of the file's beginning `examine` wants.
    public static let headerSize = 4096
    /// The most that one call of `more` asks for.
    public static let pieceLimit = 65536
    /// The most calls of `more` for one file.
    public static let pieceCount = 4

    /// What the file is, by its content.
    ///
    /// - Parameters:
    ///   - header: the first `min(headerSize, length)` bytes.
    ///   - length: of the file, in bytes.
    ///   - name: of the file; decides only whether to look for the marks of `.iso` and `.dmg` files, which lie far inside.
    ///   - more: reads up to so many bytes at an offset, fewer at the end of the file; asked at most `pieceCount` times, for at most
    ///     `pieceLimit` bytes each, and only by formats whose header does not fit in the first bytes.
    /// - Throws: what `more` throws.
    public static func examine<E: Error>(
        _ header: Span<UInt8>, length: UInt64, name: String, more: (_ offset: UInt64, _ count: Int) throws(E) -> [UInt8]
    ) throws(E) -> ImageHeader {
        guard let format = Format(header, name: name) else { return ImageHeader(format: "raw") }
        return try parse(format, header, length, name, probing: true, more)
    }

    /// What the file says as an image of a format that is known from elsewhere; its content does not change the format.
    ///
    /// `raw` is believed without a look. A vpc image without a header at its beginning is looked for by the footer at its
    /// end, which a probe never trusts because a guest can write it.
    public static func examine<E: Error>(
        _ header: Span<UInt8>, length: UInt64, name: String, as format: String,
        more: (_ offset: UInt64, _ count: Int) throws(E) -> [UInt8]
    ) throws(E) -> ImageHeader {
        if format == "raw" { return ImageHeader(format: "raw") }
        guard let known = Format(rawValue: format) else {
            var image = ImageHeader(format: format)
            image.problem = "its format is unknown"
            return image
        }
        return try parse(known, header, length, name, probing: false, more)
    }

    /// Whether `examine` could answer anything but `raw`. Costs a few instructions for almost every file, and never allocates.
    public static func mayBeImage(_ header: Span<UInt8>, name: String) -> Bool { Format(header, name: name) != nil }

    private static func parse<E: Error>(
        _ format: Format, _ header: Span<UInt8>, _ length: UInt64, _ name: String, probing: Bool,
        _ more: (UInt64, Int) throws(E) -> [UInt8]
    ) throws(E) -> ImageHeader {
        var image = ImageHeader(format: format.rawValue)
        var failure: E?
        var pieces = 0
        do throws(Flaw) {
            try format.parse(header, length, name, into: &image) { (offset, count) throws(Flaw) in
                pieces += 1
                guard pieces <= pieceCount, count > 0, count <= pieceLimit else {
                    throw Flaw("its header is scattered over too many places")
                }
                do throws(E) { return try more(offset, count) } catch {
                    failure = error
                    throw Flaw("it cannot be read")
                }
            }
            if let capacity = image.capacity, capacity > UInt64(Int64.max) { throw Flaw.range("size", capacity) }
        } catch {
            if let failure { throw failure }
            // What only a name hinted at, and the content does not bear out, is plain data.
            if probing, format.isHint { return ImageHeader(format: "raw") }
            image.capacity = nil
            image.problem = error.clause
        }
        return image
    }
}

/// Reads a further piece of the file; fewer bytes at its end.
typealias Reader = (_ offset: UInt64, _ count: Int) throws(Flaw) -> [UInt8]
