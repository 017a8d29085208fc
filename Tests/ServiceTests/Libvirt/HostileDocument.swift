// SPDX-License-Identifier: LGPL-2.1-or-later

/// A document that somebody sends to do harm, or to find out how strict the reader is.
struct HostileDocument: Sendable, CustomStringConvertible {
    /// What is wrong with it.
    let description: String
    let text: String
    /// What the refusal says; nil if the document is taken.
    let refusal: String?
    /// The line that the refusal names; 0 if no line is to blame.
    let line: Int

    private init(_ description: String, _ text: String, refusal: String?, line: Int = 1) {
        self.description = description
        self.text = text
        self.refusal = refusal
        self.line = line
    }

    /// Documents that are a pool or a volume otherwise. They name what lies in the directory `bait`, and a port of this machine.
    static func all(_ kind: Kind, bait: String, port: UInt16) -> [HostileDocument] {
        (small(kind) + large(kind)).map { document in
            let text = document.text.replacing("%file", with: "file://\(bait)").replacing("%http", with: "http://127.0.0.1:\(port)")
            return HostileDocument(document.description, text, refusal: document.refusal, line: document.line)
        }
    }

    private static func small(_ kind: Kind) -> [HostileDocument] { entities(kind) + namespaces(kind) + oddities(kind) }

    /// What a document describes.
    enum Kind: String, CaseIterable, Sendable {
        case pool, volume

        /// The document with a name, attributes of the root and an element, in one line.
        func document(_ name: String = "a", _ attributes: String = "", _ inner: String = "") -> String {
            switch self {
            case .pool: "<pool type='dir'\(attributes)><name>\(name)</name><target><path>/nowhere/at/all</path></target>\(inner)</pool>"
            case .volume: "<volume\(attributes)><name>\(name)</name><capacity>4096</capacity>\(inner)</volume>"
            }
        }
    }

    // MARK: - The documents

    private static let doctype = "a document type declaration is not allowed"

    private static func entities(_ kind: Kind) -> [HostileDocument] {
        let laughs = (1...10).map { "<!ENTITY l\($0) '\(String(repeating: "&l\($0 - 1);", count: 10))'>" }.joined()
        let blowup = String(repeating: "a", count: 50_000)
        let declarations = [
            ("an external entity", "[<!ENTITY x SYSTEM '%file/secret'>]", "&x;"),
            ("an external entity of the network", "[<!ENTITY x SYSTEM '%http/secret'>]", "&x;"),
            ("an external entity that blocks who opens it", "[<!ENTITY x SYSTEM '%file/pipe'>]", "&x;"),
            ("an internal entity", "[<!ENTITY x 'y'>]", "&x;"),
            ("an external parameter entity", "[<!ENTITY % x SYSTEM '%file/secret'> %x;]", "a"),
            ("an external document type", "SYSTEM '%file/secret'", "a"),
            ("an external document type of the network", "PUBLIC '-//X//Y' '%http/x.dtd'", "a"),
            ("a billion laughs", "[<!ENTITY l0 'lol'>\(laughs)]", "&l10;"),
            ("a quadratic blowup", "[<!ENTITY x '\(blowup)'>]", String(repeating: "&x;", count: 20_000)),
            ("a document type without anything", "", "a"),
            ("a default for an attribute", "[<!ATTLIST \(kind) type CDATA 'fs'>]", "a"),
        ]
        return declarations.map { description, declaration, name in
            HostileDocument(
                description, "<?xml version='1.0'?>\n<!DOCTYPE \(kind) \(declaration)>\n\(kind.document(name))", refusal: doctype, line: 2)
        } + [
            HostileDocument("an entity that is not declared", "\n" + kind.document("&nbsp;"), refusal: "nbsp", line: 2),
            HostileDocument("an entity in an attribute", kind.document("a", " x='&y;'"), refusal: "Entity 'y' not defined"),
        ]
    }

    private static func namespaces(_ kind: Kind) -> [HostileDocument] {
        let include = "\n<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='%file/secret' parse='text'/>"
        let schema = " xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='urn:x %http/x.xsd'"
        return [
            HostileDocument("an inclusion", kind.document("a", "", include), refusal: "include is not supported", line: 2),
            HostileDocument("a place of a schema", kind.document("a", schema), refusal: "schemaLocation is not supported"),
            HostileDocument("a base", kind.document("a", " xml:base='%http/'"), refusal: "base is not supported"),
            HostileDocument("a prefix that is not declared", kind.document("a", "", "\n<x:y/>"), refusal: "Namespace prefix x", line: 2),
            HostileDocument("an attribute twice", kind.document("a", " x='1' x='2'"), refusal: "Attribute x redefined"),
            HostileDocument(
                "an attribute twice under two prefixes", kind.document("a", " xmlns:p='urn:x' xmlns:q='urn:x' p:y='' q:y=''"),
                refusal: "y in 'urn:x' redefined"),
            HostileDocument("another namespace", kind.document("a", " xmlns='urn:x'"), refusal: "the root is {urn:x}\(kind)"),
        ]
    }

    private static func oddities(_ kind: Kind) -> [HostileDocument] {
        let document = kind.document()
        return [
            HostileDocument("instructions", "<?xml-stylesheet href='%file/secret'?>\(document)<?php x ?>", refusal: nil),
            HostileDocument("comments", "<!-- a -->\(kind.document("a<!-- <name> -->b", "", "<!--\n-->"))<!-- -->", refusal: nil),
            HostileDocument("CDATA", kind.document("<![CDATA[a&b]]>"), refusal: nil),
            HostileDocument("references to characters", kind.document("a&#x42;&#67;"), refusal: nil),
            HostileDocument("a mark of the order of bytes", "\u{FEFF}" + document, refusal: nil),
            HostileDocument(
                "a comment in a tag", document.replacing("<name>", with: "<name <!-- -->>"), refusal: "error parsing attribute name"),
            HostileDocument("a comment of three lines", "<!--\n -- \n-->" + document, refusal: "hyphen", line: 2),
            HostileDocument("a declaration in the wrong place", "\n<?xml version='1.0'?>\(document)", refusal: "XML declaration", line: 2),
            HostileDocument("two roots", document + "\n" + document, refusal: "Extra content", line: 2),
            HostileDocument("CDATA without an end", kind.document("<![CDATA["), refusal: "document"),
            HostileDocument("Latin-1", "<?xml version='1.0' encoding='ISO-8859-1'?>" + document, refusal: "encoding ISO-8859-1"),
            HostileDocument("UTF-16", "<?xml version='1.0' encoding='UTF-16'?>" + document, refusal: "encoding UTF-16"),
            HostileDocument("a reference to NUL", kind.document("a&#0;"), refusal: "xmlParseCharRef: invalid xmlChar value 0"),
            HostileDocument("a control character", kind.document("a\u{1}"), refusal: "PCDATA invalid Char value 1"),
        ]
    }

    private static func large(_ kind: Kind) -> [HostileDocument] {
        let half = String(repeating: "x", count: 1 << 19)
        // libxml2 itself takes no longer names.
        let long = String(repeating: "x", count: 40_000)
        let names = (0..<120_000).map { "a" + String($0, radix: 36) }
        let number = kind == .pool ? "uuid" : "allocation"
        let documents = [
            ("a hundred thousand levels", String(repeating: "<a>", count: 100_000), "more than 100 deep"),
            ("two hundred thousand elements", kind.document("a", "", String(repeating: "<b/>", count: 200_000)), "more than 20000"),
            ("a tag full of attributes", kind.document("a", names.map { " \($0)=''" }.joined()), ""),
            ("a tag full of namespaces", kind.document("a", names.prefix(60_000).map { " xmlns:\($0)='x'" }.joined()), ""),
            ("a long name", kind.document(half), "at most 255 bytes"),
            ("a long element", kind.document("a", "", "<\(long)/>"), "element"),
            ("a long attribute", kind.document("a", " \(long)=''"), "attribute"),
            ("a long namespace", kind.document("a", "", "<a xmlns='\(half)'/>"), "element"),
            ("a long value", kind.document("a", "", "<\(number)>\(half)</\(number)>"), ""),
        ]
        let attributes = (0..<1_000_000).map { " a\($0)=''" }.joined()
        return documents.map { HostileDocument($0.0, $0.1, refusal: $0.2) } + [
            HostileDocument("a million attributes", kind.document("a", attributes), refusal: "bytes, more than 1048576", line: 0),
            HostileDocument("eight MiB", kind.document(String(repeating: half, count: 16)), refusal: "bytes, more than 1048576", line: 0),
        ]
    }
}
