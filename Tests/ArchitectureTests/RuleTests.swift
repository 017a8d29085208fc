// SPDX-License-Identifier: LGPL-2.1-or-later
import Testing

/// Each rule finds the fault it is there for, and leaves good code alone.
@Suite struct `The rules` {
    private func file(_ path: String, _ text: String) -> TextFile { TextFile(path: path, text: text) }

    private func words(_ path: String, _ text: String) -> [String] {
        wordRules.flatMap { $0.violations(file(path, text)) }
    }

    @Test func `read imports in every spelling`() {
        let text = """
            import Glibc
            public import Bus
            @testable internal import struct Cistern.Volume
            // import Foundation
            /* import
            import XML */
            let important = "import Logging"
            """
        #expect(imports(text) == ["Glibc", "Bus", "Cistern"])
    }

    @Test func `refuse an import outside the table`() {
        #expect(importViolations(file("Sources/cisternctl/Main.swift", "import Cistern\n")).count == 1)
        #expect(importViolations(file("Sources/Cistern/Engine/Pool.swift", "import Bus\n")).count == 1)
        #expect(importViolations(file("Sources/Backends/Directory/Scan.swift", "import CLinux\n")).count == 1)
        #expect(importViolations(file("Sources/Backends/Files/Open.swift", "import CLinux\n")) == [])
        #expect(importViolations(file("Sources/Bus/A.swift", "import Foundation\n")).count == 1)
        #expect(importViolations(file("Sources/Service/A.swift", "internal import Backends\n")).count == 1)
    }

    @Test func `refuse a target nobody listed`() {
        #expect(unknownTargets(["Bus", "CLinux", "Helpers"]) == ["Helpers"])
        #expect(importViolations(file("Sources/Helpers/A.swift", "")).count == 1)
    }

    @Test(arguments: [
        "let x = try! f()", "fatalError(\"no\")", "print(1)", "  debugPrint(x)", "// TODO later", "let p: UnsafeMutablePointer<Int>",
        "struct A: @unchecked Sendable {}", "nonisolated(unsafe) var a = 1", "x.withUnsafeBytes { _ in }", "let q: OpaquePointer? = nil",
    ])
    func `refuse a banned word`(line: String) {
        #expect(words("Sources/Service/A.swift", line + "\n").count == 1)
    }

    @Test(arguments: [
        "// never print( here", "let s = \"try! fatalError print(\"", "func print(_ x: Int) {}", "writer.print(x)", "blueprint(1)",
        "let s = #\"a \" print( \"#", "let mastodon = 1", "/* fatalError\n fatalError */",
    ])
    func `leave good code alone`(line: String) {
        #expect(words("Sources/Service/A.swift", line + "\n") == [])
    }

    @Test func `allow raw memory where it is at home`() {
        #expect(words("Sources/Bus/Message.swift", "let q: OpaquePointer\n") == [])
        #expect(words("Sources/Backends/Files/Write.swift", "x.withUnsafeBytes { _ in }\n") == [])
        #expect(words("Sources/Backends/Directory/Scan.swift", "x.withUnsafeBytes { _ in }\n").count == 1)
    }

    @Test func `want an owner for what is unchecked`() {
        let bare = "final class A: @unchecked Sendable {}\n"
        #expect(uncheckedWithoutOwner(file("Sources/Bus/A.swift", bare)).count == 1)
        #expect(uncheckedWithoutOwner(file("Sources/Bus/A.swift", "/// A box.\n" + bare)).count == 1)
        #expect(uncheckedWithoutOwner(file("Sources/Bus/A.swift", "/// The loop's thread alone touches it.\n" + bare)) == [])
        let subclass = file("Sources/Bus/B.swift", "final class B: A, @unchecked Sendable {}\n")
        #expect(uncheckedClasses([subclass, file("Sources/Bus/A.swift", bare)]) == ["A", "B"])
        #expect(uncheckedWithoutOwner(subclass, bases: ["A"]) == [])
        #expect(uncheckedWithoutOwner(subclass, bases: ["C"]).count == 1)
    }

    @Test func `want a license`() {
        #expect(lacksLicense(file("Sources/Bus/A.swift", "import Glibc\n// \(license)\n")))
        #expect(lacksLicense(file("Tests/a.sh", "#!/bin/bash\necho\n")))
        #expect(lacksLicense(file("Makefile", "all:\n")))
        #expect(!lacksLicense(file("Tests/a.sh", "#!/bin/bash\n# \(license)\n")))
        #expect(!lacksLicense(file("README.md", "# Cistern\n")))
    }

    @Test func `refuse a long file`() {
        let line = "let a = 1\n"
        #expect(!isTooLong(file("Sources/Bus/A.swift", String(repeating: line, count: longestFile))))
        #expect(isTooLong(file("Sources/Bus/A.swift", String(repeating: line, count: longestFile + 1))))
    }

    @Test func `refuse traces of one machine`() {
        #expect(localTraces(file("README.md", "cd /home/somebody/cistern\n")).count == 1)
        #expect(localTraces(file("README.md", "cd cistern\n")) == [])
    }

    @Test func `refuse stray files`() {
        #expect(strayTopLevel(["Sources", "notes.txt", ".ci"]) == ["notes.txt"])
        #expect(missingIgnores("*.o\n") == [".build", "Package.resolved"])
        #expect(missingIgnores("/.build/\nPackage.resolved\n") == [])
        #expect(matches(".build-x", ".build-*") && !matches(".build", ".build-*"))
    }

    @Test func `refuse a pool type of another shape`() {
        let good = ["Sources/Backends/Backends.swift", "Sources/Backends/Disk/DiskPool.swift", "Sources/Backends/Files/Open.swift"]
        #expect(misshapenBackends(good) == [])
        #expect(misshapenBackends(good + ["Sources/Backends/Helper.swift"]).count == 1)
        #expect(misshapenBackends(good + ["Sources/Backends/Logical/Volumes.swift"]).count == 1)
    }

    @Test func `refuse pool types that know each other`() {
        let disk = file("Sources/Backends/Disk/DiskPool.swift", "struct DiskPool {}\n")
        let nosy = file("Sources/Backends/Logical/LogicalPool.swift", "let x = DiskPool.self\n")
        let registry = file("Sources/Backends/Backends.swift", "[DiskPool.self, LogicalPool.self]\n")
        #expect(crossReferences([disk, registry]) == [])
        #expect(crossReferences([disk, nosy, registry]).count == 1)
    }
}
