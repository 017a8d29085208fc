// SPDX-License-Identifier: LGPL-2.1-or-later

/// A regular expression of XML Schema, from which texts are made that match it.
struct TextPattern {
    private indirect enum Node {
        case choice([Node])
        case sequence([Node])
        case repeated(Node, least: Int, most: Int?)
        case characters([Unicode.Scalar])
    }

    private let root: Node

    /// What `.` and the complement of a class are drawn from: what is usual, and what a reader of XML may stumble over.
    static let alphabet = usual + Array(" :,;/\\'\"&<>%()[]{}@#=+~\u{85}\u{A0}äß€中𐍈\u{301}".unicodeScalars)
    private static let usual = Array(repeating: Array("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_.".unicodeScalars), count: 4).flatMap {
        $0
    }

    /// - Throws: `Grammar.Failure` for what this reader does not know.
    init(_ text: String) throws {
        var reader = Reader(text: Array(text.unicodeScalars))
        root = try reader.choice()
        if !reader.isAtEnd { throw reader.failure }
    }

    /// A text that matches.
    func sample(_ random: inout SplitMix) -> String {
        var text = ""
        Self.append(root, to: &text, &random)
        return text
    }

    private static func append(_ node: Node, to text: inout String, _ random: inout SplitMix) {
        switch node {
        case .choice(let nodes):
            // What comes first is usually meant.
            let node = random.percent(50) ? nodes.first : nodes.randomElement(using: &random)
            if let node { append(node, to: &text, &random) }
        case .sequence(let nodes): for node in nodes { append(node, to: &text, &random) }
        case .repeated(let node, let least, let most):
            for _ in 0..<random.count(least, most) { append(node, to: &text, &random) }
        case .characters(let scalars): if let scalar = scalars.randomElement(using: &random) { text.unicodeScalars.append(scalar) }
        }
    }

    private struct Reader {
        let text: [Unicode.Scalar]
        var position = 0

        var isAtEnd: Bool { position == text.count }
        var next: Unicode.Scalar? { isAtEnd ? nil : text[position] }
        var failure: Grammar.Failure {
            Grammar.Failure(description: "the pattern \(String(String.UnicodeScalarView(text))) is not understood at \(position)")
        }

        mutating func take() throws -> Unicode.Scalar {
            guard let scalar = next else { throw failure }
            position += 1
            return scalar
        }

        mutating func takes(_ scalar: Unicode.Scalar) -> Bool {
            guard next == scalar else { return false }
            position += 1
            return true
        }

        mutating func choice() throws -> Node {
            var branches = [try sequence()]
            while takes("|") { branches.append(try sequence()) }
            return .choice(branches)
        }

        private mutating func sequence() throws -> Node {
            var nodes: [Node] = []
            while let scalar = next, scalar != "|", scalar != ")" { nodes.append(try quantified(try atom())) }
            return .sequence(nodes)
        }

        private mutating func atom() throws -> Node {
            switch try take() {
            case "(":
                let inner = try choice()
                guard takes(")") else { throw failure }
                return inner
            case "[": return .characters(try characterClass())
            case ".": return .characters(TextPattern.alphabet)
            case "\\": return .characters([try take()])
            case let scalar: return .characters([scalar])
            }
        }

        private mutating func quantified(_ node: Node) throws -> Node {
            if takes("?") { return .repeated(node, least: 0, most: 1) }
            if takes("*") { return .repeated(node, least: 0, most: nil) }
            if takes("+") { return .repeated(node, least: 1, most: nil) }
            guard takes("{") else { return node }
            let least = try number()
            let most = takes(",") ? try number() : least
            guard takes("}") else { throw failure }
            return .repeated(node, least: least, most: most)
        }

        private mutating func number() throws -> Int {
            var digits = ""
            while let scalar = next, ("0"..."9").contains(scalar) { digits.unicodeScalars.append(try take()) }
            guard let number = Int(digits) else { throw failure }
            return number
        }

        private mutating func characterClass() throws -> [Unicode.Scalar] {
            let isComplement = takes("^")
            var members: [Unicode.Scalar] = []
            while !takes("]") {
                let first = try member()
                let isRange = next == "-" && position + 1 < text.count && text[position + 1] != "]"
                if isRange { position += 1 }
                let last = isRange ? try member() : first
                guard first <= last else { throw failure }
                members += (first.value...last.value).compactMap(Unicode.Scalar.init)
            }
            return isComplement ? TextPattern.alphabet.filter { !members.contains($0) } : members
        }

        private mutating func member() throws -> Unicode.Scalar {
            guard takes("\\") else { return try take() }
            return takes("n") ? "\n" : try take()
        }
    }
}
