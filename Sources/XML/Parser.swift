// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CXML2

/// One run of libxml2 over one document. Belongs to the thread that calls ``parse(_:)``, as do all pointers here.
final class Parser {
    private let limits: Limits
    private var context: xmlParserCtxtPtr?
    /// The elements that are open, the root first.
    private var open: [Element] = []
    private var root: Element?
    private var nodes = 0
    /// The first one counts.
    private var failure: XMLError?

    init(_ limits: Limits) { self.limits = limits }

    /// Initializes libxml2 once, before several threads may want to.
    private static let library: Void = xmlInitParser()

    func parse(_ bytes: [UInt8]) throws(XMLError) -> Element {
        Self.library
        var handler = Self.handler
        context = xmlCreatePushParserCtxt(&handler, Unmanaged.passUnretained(self).toOpaque(), nil, 0, nil)
        guard let context else { throw XMLError(line: 0, message: "there is not enough memory to read the document") }
        defer {
            xmlFreeParserCtxt(context)
            self.context = nil
        }
        // NOENT: `&amp;` in an attribute arrives decoded. There is no other entity, since a DTD stops the parser.
        let options = XML_PARSE_NONET.rawValue | XML_PARSE_NOENT.rawValue | XML_PARSE_IGNORE_ENC.rawValue | XML_PARSE_NOCDATA.rawValue
        xmlCtxtUseOptions(context, Int32(options))
        feed(bytes, to: context)
        if let failure { throw failure }
        guard context.pointee.wellFormed == 1, let root else { throw XMLError(line: 0, message: "the document is incomplete") }
        return root
    }

    /// In pieces, so that a refusal does not wait for the rest.
    private func feed(_ bytes: [UInt8], to context: xmlParserCtxtPtr) {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty, failure == nil {
                let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(16384))
                xmlParseChunk(context, piece.bindMemory(to: CChar.self).baseAddress, Int32(piece.count), 0)
                rest = rest.dropFirst(16384)
            }
        }
        if failure == nil { xmlParseChunk(context, nil, 0, 1) }
    }

    // MARK: What libxml2 tells

    /// Only what is set here is called; everything else libxml2 would do with a document is left out.
    private static var handler: xmlSAXHandler {
        var handler = xmlSAXHandler()
        handler.initialized = UInt32(XML_SAX2_MAGIC)
        handler.internalSubset = { context, _, _, _ in
            Parser.of(context)?.refuse("a document type declaration is not allowed")
        }
        handler.startElementNs = { context, name, _, uri, _, _, count, _, attributes in
            Parser.of(context)?.begin(name, uri, Int(count), attributes)
        }
        handler.endElementNs = { context, _, _, _ in Parser.of(context)?.end() }
        handler.characters = { context, text, count in Parser.of(context)?.append(text, Int(count)) }
        handler.ignorableWhitespace = handler.characters
        handler.cdataBlock = handler.characters
        handler.reference = { context, name in
            Parser.of(context)?.refuse("the entity \(Parser.string(name)) is not allowed")
        }
        handler.serror = { context, error in Parser.of(context)?.note(error?.pointee) }
        return handler
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> Parser? {
        context.map { Unmanaged<Parser>.fromOpaque($0).takeUnretainedValue() }
    }

    private static func string(_ text: UnsafePointer<xmlChar>?) -> String { text.map { String(cString: $0) } ?? "" }

    private var line: Int { Int(xmlSAX2GetLineNumber(context)) }

    private func refuse(_ message: String) {
        if failure == nil { failure = XMLError(line: line, message: message) }
        xmlStopParser(context)
    }

    private func note(_ error: xmlError?) {
        guard failure == nil, let error, error.level.rawValue >= XML_ERR_ERROR.rawValue else { return }
        var message = error.message.map { String(cString: $0) } ?? "the document is not well-formed"
        while message.last?.isWhitespace == true { message.removeLast() }
        failure = XMLError(line: Int(error.line), message: message)
        xmlStopParser(context)
    }

    private func begin(
        _ name: UnsafePointer<xmlChar>?, _ uri: UnsafePointer<xmlChar>?, _ count: Int,
        _ attributes: UnsafeMutablePointer<UnsafePointer<xmlChar>?>?
    ) {
        guard failure == nil else { return }
        nodes += 1 + count
        if nodes > limits.nodes { return refuse("the document has more than \(limits.nodes) elements and attributes") }
        if open.count >= limits.depth { return refuse("elements are nested more than \(limits.depth) deep") }
        var element = Element(Self.string(name), namespace: Self.string(uri), line: line)
        if let attributes {
            for index in 0..<count { element.attributes.append(Self.attribute(attributes + 5 * index)) }
        }
        open.append(element)
    }

    /// libxml2 gives five pointers for each: name, prefix, namespace, value, end of value.
    private static func attribute(_ parts: UnsafeMutablePointer<UnsafePointer<xmlChar>?>) -> Element.Attribute {
        var value = ""
        if let start = parts[3], let end = parts[4] {
            value = String(decoding: UnsafeBufferPointer(start: start, count: end - start), as: UTF8.self)
        }
        return Element.Attribute(string(parts[0]), value, namespace: string(parts[2]))
    }

    private func end() {
        guard failure == nil, let element = open.popLast() else { return }
        if open.isEmpty { root = element } else { open[open.count - 1].children.append(element) }
    }

    private func append(_ text: UnsafePointer<xmlChar>?, _ count: Int) {
        guard failure == nil, let text, !open.isEmpty else { return }
        open[open.count - 1].text += String(decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self)
    }
}
