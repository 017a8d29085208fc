// SPDX-License-Identifier: LGPL-2.1-or-later
public import XML

/// Makes random documents that a grammar accepts.
public struct DocumentGenerator {
    private let grammar: Grammar
    private var random: SplitMix
    private var patterns: [String: TextPattern] = [:]
    /// How probable it is, in percent, that something optional is there; each document has its own.
    private var abundance = 50

    /// What stands in one element: its content as far as it is made.
    private struct Content {
        var attributes: [Element.Attribute] = []
        var children: [Element] = []
        var text = ""
    }

    public init(_ grammar: Grammar, seed: UInt64) {
        self.grammar = grammar
        random = SplitMix(seed: seed)
    }

    /// An element of that name with the content of a definition.
    /// - Throws: `Grammar.Failure` for a pattern that is not known here.
    public mutating func element(_ name: String, of definition: String) throws -> Element {
        abundance = [15, 40, 60, 85].randomElement(using: &random) ?? 50
        return element(name, "", try content(try grammar.definition(definition)))
    }

    /// A document whose root is what a definition begins with.
    /// - Throws: `Grammar.Failure` for a pattern that is not known here.
    public mutating func document(_ definition: String = "start") throws -> Element {
        let root = try element("", of: definition).children.first
        guard let root else { throw Grammar.Failure(description: "\(definition) is no element") }
        return root
    }

    private mutating func element(_ name: String, _ namespace: String, _ content: Content) -> Element {
        Element(
            name, namespace: namespace, attributes: content.attributes.shuffled(using: &random), text: content.text,
            children: content.children)
    }

    private mutating func content(_ pattern: Element) throws -> Content {
        switch pattern.name {
        case "group", "define": try sequence(pattern.children)
        case "interleave": try interleaved(pattern.children)
        case "choice": try one(of: pattern.children)
        case "optional": try sequence(random.percent(abundance) ? pattern.children : [])
        case "zeroOrMore": try repeated(pattern.children, atLeast: 0)
        case "oneOrMore": try repeated(pattern.children, atLeast: 1)
        case "ref": try content(try grammar.definition(try name(of: pattern)))
        case "element":
            Content(children: [
                element(try name(of: pattern), pattern.attribute("ns") ?? "", try sequence(pattern.children))
            ])
        case "attribute": Content(attributes: [.init(try name(of: pattern), try attributeValue(pattern.children))])
        case "empty": Content()
        case "text": Content(text: freeText())
        case "value": Content(text: pattern.text)
        case "data": Content(text: try data(pattern))
        default: throw Grammar.Failure(description: "line \(pattern.line): \(pattern.name) is not known here")
        }
    }

    private func name(of pattern: Element) throws -> String {
        guard let name = pattern.attribute("name") else {
            throw Grammar.Failure(description: "line \(pattern.line): \(pattern.name) without a name is not known here")
        }
        return name
    }

    private mutating func attributeValue(_ patterns: [Element]) throws -> String {
        patterns.isEmpty ? freeText() : try sequence(patterns).text
    }

    private mutating func sequence(_ patterns: [Element]) throws -> Content {
        var whole = Content()
        for pattern in patterns {
            let part = try content(pattern)
            whole.attributes += part.attributes
            whole.children += part.children
            whole.text += part.text
        }
        return whole
    }

    private mutating func repeated(_ patterns: [Element], atLeast least: Int) throws -> Content {
        try sequence(Array(repeating: patterns, count: random.count(least, 5)).flatMap { $0 })
    }

    private mutating func one(of patterns: [Element]) throws -> Content {
        guard let pattern = patterns.filter({ $0.name != "notAllowed" }).randomElement(using: &random) else {
            throw Grammar.Failure(description: "a choice of nothing is not known here")
        }
        return try content(pattern)
    }

    /// The children of all patterns, mixed; those of one pattern keep their order.
    private mutating func interleaved(_ patterns: [Element]) throws -> Content {
        var whole = Content()
        var rows: [ArraySlice<Element>] = []
        for pattern in patterns {
            let part = try content(pattern)
            whole.attributes += part.attributes
            whole.text += part.text
            rows.append(part.children[...])
        }
        while let row = rows.indices.filter({ !rows[$0].isEmpty }).randomElement(using: &random) {
            whole.children.append(rows[row].removeFirst())
        }
        return whole
    }

    private mutating func freeText() -> String {
        switch Int.random(in: 0..<30, using: &random) {
        case 0: return ""
        case 1: return "  "
        default:
            var text = ""
            for _ in 0..<random.count(1, 30) { text.unicodeScalars.append(TextPattern.alphabet.randomElement(using: &random) ?? "a") }
            return text
        }
    }
}

// MARK: - Data types

extension DocumentGenerator {
    /// A text of a data type, with its parameters, and not what is excepted.
    private mutating func data(_ pattern: Element) throws -> String {
        let exceptions = pattern.child("except", namespace: pattern.namespace).map(Self.values) ?? []
        for _ in 0..<1000 {
            let text = try candidate(pattern)
            if !exceptions.contains(text) { return text }
        }
        throw Grammar.Failure(description: "line \(pattern.line): no text was found that is allowed")
    }

    private static func values(in pattern: Element) -> [String] {
        pattern.name == "value" ? [pattern.text] : pattern.children.flatMap(values)
    }

    private mutating func candidate(_ pattern: Element) throws -> String {
        let type = pattern.attribute("type") ?? ""
        let parameters = Dictionary(pattern.children.map { ($0.attribute("name") ?? "", $0.text) }) { first, _ in first }
        if type == "anyURI" { return Self.addresses.randomElement(using: &random) ?? "" }
        if type == "string" { return try match(parameters["pattern"] ?? ".*") }
        guard let range = Self.integers[type] else { throw Grammar.Failure(description: "the data type \(type) is not known here") }
        let least = parameters["minInclusive"].flatMap(Int128.init) ?? range.lowerBound
        let most = parameters["maxInclusive"].flatMap(Int128.init) ?? range.upperBound
        for _ in 0..<1000 {
            let digits = try number(parameters["pattern"], least...most)
            if let value = Int128(digits), (least...most).contains(value) { return digits }
        }
        throw Grammar.Failure(description: "line \(pattern.line): no number was found that is allowed")
    }

    private static let addresses = ["", "/srv/a%20b", "https://example.org:8443/x?y=z#w", "rbd:pool/image", "..", "a"]

    private static let integers: [String: ClosedRange<Int128>] = [
        "int": Int128(Int32.min)...Int128(Int32.max), "unsignedInt": 0...Int128(UInt32.max), "unsignedLong": 0...Int128(UInt64.max),
        "positiveInteger": 1...Int128(UInt64.max),
    ]

    /// A number that matches; its limits more often than chance would have them.
    private mutating func number(_ pattern: String?, _ range: ClosedRange<Int128>) throws -> String {
        if let pattern {
            let isDecimal = pattern == "[0-9]+"
            if isDecimal, random.percent(10) { return String(random.percent(50) ? range.lowerBound : range.upperBound) }
            return try match(pattern)
        }
        if random.percent(20) { return String(random.percent(50) ? range.lowerBound : range.upperBound) }
        return String(Int64.random(in: Int64(clamping: range.lowerBound)...Int64(clamping: range.upperBound), using: &random))
    }

    private mutating func match(_ pattern: String) throws -> String {
        if patterns[pattern] == nil { patterns[pattern] = try TextPattern(pattern) }
        return patterns[pattern]?.sample(&random) ?? ""
    }
}
