// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@Suite struct ImportCommandTests {
    /// A directory like libvirt's: two good definitions, one of them started automatically, one bad, and one of no pool.
    @LoopActor
    private func definitions(_ harness: Harness) -> String {
        let directory = harness.root + "/storage [1]"
        mkdir(directory, 0o700)
        mkdir(directory + "/autostart", 0o700)
        for name in ["one", "two"] {
            let xml = "<pool type='dir'><name>\(name)</name><target><path>\(harness.root)/\(name)</path></target></pool>"
            writeFile(directory + "/\(name).xml", Array(xml.utf8))
        }
        writeFile(directory + "/bad.xml", Array("<pool type='dir'><name>bad</name><oops/></pool>".utf8))
        symlink(directory + "/one.xml", directory + "/autostart/one.xml")
        return directory
    }

    @Test func `good definitions are taken over with autostart, bad ones are named`() async throws {
        try await Harness.run { harness in
            let directory = definitions(harness)
            let result = try await harness.cisternctl("import-libvirt", directory)
            #expect(result.status == 1 && result.complaint.contains("1 of 3"), "\(result.complaint)")
            #expect(result.text.contains("bad.xml") && result.text.contains("oops"), "\(result.text)")
            let pools = try JSONObject.list(try await harness.output("pool", "list", "--json"))
            #expect(pools.map { $0["Name"] } == ["one", "two"] && pools.map { $0.flag("Autostart") } == [true, false])

            let again = try JSONObject.list(try await harness.cisternctl("import-libvirt", directory, "--json").text)
            #expect(again.map { $0["State"] } == ["refused", "exists", "exists"])
            #expect(
                again.map { $0["Error"] } == ["org.cistern1.Error.InvalidXML", "org.cistern1.Error.Exists", "org.cistern1.Error.Exists"])
        }
    }

    @Test func `a dry run defines nothing`() async throws {
        try await Harness.run { harness in
            let directory = definitions(harness)
            let result = try await harness.cisternctl("import-libvirt", "--dry-run", directory, "--json")
            #expect(result.status == 1)
            #expect(try JSONObject.list(result.text).map { $0["State"] } == ["refused", "good", "good"])
            #expect(try await harness.output("pool", "list", "--json") == "[]\n")
            unlink(directory + "/bad.xml")
            try await harness.output("import-libvirt", "--dry-run", directory)
        }
    }

    @Test func `a directory that is not there is an error, an empty one is not`() async throws {
        try await Harness.run { harness in
            try await harness.expectRefusal(1, "/nonexistent", by: ["import-libvirt", "/nonexistent"])
            mkdir(harness.root + "/none", 0o755)
            #expect(try await harness.output("import-libvirt", harness.root + "/none", "--json") == "[]\n")
        }
    }
}
