// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@testable import Service

/// `dbus/*.xml` is what clients read: it is what the declarations come to. `CISTERN_RECORD=1 swift test` writes it anew, and fails.
@Suite struct GoldenTests {
    @LoopActor static let interfaces: [(String, AnyInterface)] = [
        ("org.cistern1.Manager", Interfaces.manager), ("org.cistern1.Pool", Interfaces.pool), ("org.cistern1.Volume", Interfaces.volume),
        ("org.cistern1.Job", Interfaces.job),
    ]

    @Test func `each declared interface is its golden document`() async throws {
        Loop.shared.startThread()
        for (name, xml) in await Self.documents() {
            let path = Self.directory + "/\(name).xml"
            if getenv("CISTERN_RECORD") != nil { writeFile(path, Array(xml.utf8)) }
            #expect(readFile(path) == xml, "\(name) differs from its declaration; record it with CISTERN_RECORD=1")
        }
        #expect(getenv("CISTERN_RECORD") == nil, "recorded; run again without CISTERN_RECORD")
    }

    @Test func `methods with descriptors say so, and every method takes options and says who may call it`() async throws {
        Loop.shared.startThread()
        for (name, xml) in await Self.documents() {
            for method in xml.components(separatedBy: "<method ").dropFirst().map({ $0.prefix(upTo: "</method>") }) {
                #expect(method.contains("name=\"options\""), "\(name): \(method)")
                #expect(method.contains("type=\"h\"") == method.contains("org.gtk.GDBus.C.UnixFD"), "\(name): \(method)")
            }
        }
    }

    @LoopActor private static func documents() -> [(String, String)] { interfaces.map { ($0.0, $0.1.xml) } }

    static let directory = String(#filePath.prefix(upTo: "/Tests/ServiceTests")) + "/dbus"
}

extension StringProtocol {
    func components(separatedBy separator: String) -> [String] {
        var parts: [String] = []
        var rest = Substring(self)
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }

    func prefix(upTo marker: String) -> String { firstRange(of: marker).map { String(self[..<$0.lowerBound]) } ?? String(self) }
}
