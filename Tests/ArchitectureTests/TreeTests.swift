// SPDX-License-Identifier: LGPL-2.1-or-later
import Testing

/// The rules, held against the tree itself.
@Suite struct `The tree` {
    private let sources: [TextFile]
    private let tests: [TextFile]
    private let others: [TextFile]

    init() throws {
        sources = try Tree.files(["Sources"])
        tests = try Tree.files(["Tests"])
        others = try Tree.files(["Package.swift", "Makefile", "README.md", ".ci", "dbus", "man", "systemd", ".gitignore", ".swift-format"])
    }

    private var swiftSources: [TextFile] { sources.filter(\.isSwift) }

    @Test func `is there to be read`() {
        #expect(swiftSources.count > 20)
        #expect(tests.count > 5)
        #expect(others.contains { $0.path == "Makefile" })
    }

    @Test func `imports only what the table allows`() {
        #expect(swiftSources.flatMap(importViolations) == [])
    }

    @Test func `has no target that the table does not list`() {
        #expect(unknownTargets(Set(sources.compactMap { $0.folders.count > 1 ? $0.folders[1] : nil })) == [])
    }

    @Test func `keeps the word rules in Sources`() {
        #expect(swiftSources.flatMap { file in wordRules.flatMap { $0.violations(file) } } == [])
    }

    @Test func `says who owns what the compiler cannot check`() {
        let bases = uncheckedClasses(swiftSources)
        #expect(swiftSources.flatMap { uncheckedWithoutOwner($0, bases: bases) } == [])
    }

    @Test func `names its license in every file`() {
        #expect((sources + tests + others).filter(lacksLicense).map(\.path) == [])
    }

    @Test func `has no file nobody would read whole`() {
        #expect((sources + tests + others).filter { $0.isSwift && isTooLong($0) }.map(\.path) == [])
    }

    @Test func `names no particular machine`() {
        let all = sources + others + tests.filter { !$0.isBelow("Tests/ArchitectureTests") }
        #expect(all.flatMap(localTraces) == [])
    }

    @Test func `has nothing stray at the top`() throws {
        #expect(strayTopLevel(try Tree.topLevel()) == [])
    }

    @Test func `gives every pool type the same shape`() {
        #expect(misshapenBackends(sources.map(\.path)) == [])
        #expect(crossReferences(swiftSources) == [])
    }

    @Test func `ignores what is built`() throws {
        #expect(missingIgnores(try Tree.read(".gitignore")) == [])
    }
}
