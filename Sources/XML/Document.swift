// SPDX-License-Identifier: LGPL-2.1-or-later

/// Why a text is no document, or not one that we take.
public struct XMLError: Error, Sendable, Hashable, CustomStringConvertible {
    /// From 1; 0 if no line is to blame.
    public let line: Int
    /// A clause without the line: "the tag pool is not closed".
    public let message: String

    /// Why, and where.
    public init(line: Int, message: String) {
        self.line = line
        self.message = message
    }

    public var description: String { line > 0 ? "line \(line): \(message)" : message }
}

/// How much of a document is taken from somebody who may be hostile.
public struct Limits: Sendable, Hashable {
    /// Bytes of UTF-8.
    public var bytes: Int
    /// Elements inside each other, the root counted.
    public var depth: Int
    /// Elements and attributes in all.
    public var nodes: Int
    /// Attributes and namespace declarations of one element.
    public var attributes: Int

    /// Limits that no honest description of storage reaches.
    public init(bytes: Int = 1 << 20, depth: Int = 100, nodes: Int = 20_000, attributes: Int = 100) {
        self.bytes = bytes
        self.depth = depth
        self.nodes = nodes
        self.attributes = attributes
    }
}

/// Documents as the storage world exchanges them: UTF-8, namespaces, no DTD.
public enum Document {
    /// Reads a document; safe on input from anybody.
    ///
    /// Nothing is fetched and nothing is expanded: a document type declaration, with or without entities, is refused, as are NULs,
    /// encodings other than UTF-8, undeclared prefixes, and whatever exceeds the limits. Comments and processing instructions are
    /// passed over.
    /// - Returns: the root.
    public static func parse(_ text: String, limits: Limits = Limits()) throws(XMLError) -> Element {
        let size = text.utf8.count
        if size > limits.bytes { throw XMLError(line: 0, message: "the document has \(size) bytes, more than \(limits.bytes)") }
        var bytes = Array(text.utf8)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
        if let index = bytes.firstIndex(of: 0) { throw XMLError(line: line(of: index, in: bytes), message: "the document contains a NUL") }
        try checkEncoding(bytes)
        if let index = StartTags.firstWith(moreThan: limits.attributes, in: bytes) {
            throw XMLError(line: line(of: index, in: bytes), message: "an element has more than \(limits.attributes) attributes")
        }
        return try Parser(limits).parse(bytes)
    }

    private static func line(of index: Int, in bytes: [UInt8]) -> Int {
        1 + bytes[..<index].count { $0 == UInt8(ascii: "\n") }
    }

    /// A `String` is UTF-8, so a declaration that says otherwise is wrong, whatever follows it.
    private static func checkEncoding(_ bytes: [UInt8]) throws(XMLError) {
        guard bytes.starts(with: "<?xml".utf8), let end = bytes.firstIndex(of: UInt8(ascii: ">")) else { return }
        let declaration = String(decoding: bytes[..<end], as: UTF8.self)
        let parts = declaration.split(omittingEmptySubsequences: false) { $0 == "\"" || $0 == "'" }
        for (key, value) in zip(parts, parts.dropFirst()) {
            guard key.split(whereSeparator: { $0.isWhitespace || $0 == "=" }).last == "encoding" else { continue }
            if ["utf-8", "utf8", "us-ascii", "ascii"].contains(value.lowercased()) { return }
            throw XMLError(line: 1, message: "the document declares the encoding \(value), but only UTF-8 is taken")
        }
    }
}
