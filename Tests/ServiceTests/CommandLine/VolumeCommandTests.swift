// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@Suite struct VolumeCommandTests {
    @Test func `a volume's life, a command at a time`() async throws {
        try await Harness.run { harness in
            let (_, directory) = try await harness.startedPool()
            #expect(try await harness.output("volume", "create", "p", "v", "1M") == "Volume v of 1 MiB is there.\n")
            #expect(try await harness.output("volume", "path", "p", "v") == directory + "/v\n")
            #expect(try await harness.output("volume", "resize", "p", "v", "2MB") == "Volume v has 1.9 MiB.\n")
            #expect(fileStatus(directory + "/v")?.st_size == 2_000_000)
            try await harness.expectRefusal(1, "allow-shrink", by: ["volume", "resize", "p", "v", "1K"])
            try await harness.expectRefusal(2, "Cut it from 1.9 MiB to 1 KiB", by: ["volume", "resize", "p", "v", "1K", "--allow-shrink"])
            try await harness.output("volume", "resize", "p", "v", "1K", "--allow-shrink", "--yes")
            #expect(fileStatus(directory + "/v")?.st_size == 1024)
            let permissions = try await harness.output("volume", "permissions", "p", "v", "--mode", "0604")
            #expect(permissions.hasPrefix("Mode:  0604\n") && fileStatus(directory + "/v")?.st_mode == S_IFREG | 0o604)
            #expect(try await harness.output("volume", "rename", "p", "v", "w") == "Volume v is now w.\n")
            #expect(try await harness.output("volume", "info", "p", "w").contains("Mode:       0604\n"))
            #expect(try await harness.output("volume", "xml", "p", "w").contains("<name>w</name>"))
            #expect(try await harness.output("volume", "delete", "p", "w", "--yes") == "Volume w is deleted.\n")
            #expect(entries(directory).isEmpty)
        }
    }

    @Test func `JSON is what the bus says`() async throws {
        try await Harness.run { harness in
            let (pool, _) = try await harness.startedPool()
            let made = try JSONObject(try await harness.output("volume", "create", "p", "v", "1M", "--format", "qcow2", "--json"))
            let volume = try #require(made.strings("Objects")?.first.flatMap { ObjectPath($0) })
            #expect(made["Object"] == "/" && made["State"] == "completed", "no job was needed")
            let expected = try await harness.expectedJSON(volume, Harness.volumeInterface)
            #expect(try JSONObject(try await harness.output("volume", "info", "p", "v", "--json")) == expected)
            #expect(try JSONObject.list(try await harness.output("volume", "list", "--json")) == [expected])
            #expect(expected.number("Capacity") == 1 << 20 && expected["Pool"] == pool.description)
            let renamed = try JSONObject(try await harness.output("volume", "rename", "p", "v", "w", "--json"))
            #expect(renamed["Name"] == "w" && renamed["Key"] == expected["Key"])
            let job = try JSONObject(try await harness.output("volume", "create", "p", "f", "1M", "--allocation", "full", "--json"))
            #expect(job["Operation"] == "Pool.CreateVolume" && job.number("BytesDone") == 1 << 20 && job["Phase"] == "")
            let path = try JSONObject(try await harness.output("volume", "path", "p", "f", "--json"))
            #expect(path["Path"] == expected["Path"]?.replacing("/p/v", with: "/p/f"))
        }
    }

    @Test func `lists are filtered, in human words or exact bytes`() async throws {
        try await Harness.run { harness in
            _ = try await harness.startedPool("p")
            _ = try await harness.startedPool("q")
            try await harness.output("volume", "create", "p", "a", "1536K")
            try await harness.output("volume", "create", "q", "b", "1M", "--format", "qcow2")
            let all = try await harness.output("volume", "list").split(separator: "\n")
            #expect(all.count == 3 && all[0].hasPrefix("POOL  NAME  FORMAT  STATE  CAPACITY  ALLOCATION  PATH"))
            #expect(all[1].hasPrefix("p     a     raw     ready   1.5 MiB         0 B  /"))
            #expect(try await harness.output("volume", "list", "p", "--bytes").contains("   1572864           0  /"))
            #expect(try await harness.output("volume", "list", "--format", "qcow2").split(separator: "\n").count == 2)
            #expect(try await harness.output("volume", "list", "q", "--state", "error").split(separator: "\n").count == 1)
        }
    }

    @Test func `overlays are as large as what they stand on, which is told before it is lost`() async throws {
        try await Harness.run { harness in
            _ = try await harness.startedPool()
            try await harness.output("volume", "create", "p", "base", "3M", "--format", "qcow2")
            let overlay = try await harness.output("volume", "create", "p", "over", "--format", "qcow2", "--backing", "p/base")
            #expect(overlay == "Volume over of 3 MiB is there.\n")
            try await harness.expectRefusal(2, "Overlays that need it: volume p/over", by: ["volume", "delete", "p", "base"])
            try await harness.expectRefusal(1, "over", by: ["volume", "delete", "p", "base", "-y"])
        }
    }

    @Test func `a volume is made of XML`() async throws {
        try await Harness.run { harness in
            let (_, directory) = try await harness.startedPool()
            let xml = "<volume><name>x</name><capacity unit='MiB'>2</capacity><allocation>0</allocation></volume>"
            let made = try await harness.cisternctl("volume", "create", "--xml", "-", "p", input: xml)
            #expect(made.status == 0 && fileStatus(directory + "/x")?.st_size == 2 << 20, "\(made.complaint)")
            try await harness.expectRefusal(2, "--xml", by: ["volume", "create", "--xml", "file", "p", "name"])
        }
    }

    @Test func `what this version cannot do is refused with its reason, and changes nothing`() async throws {
        try await Harness.run { harness in
            let (_, directory) = try await harness.startedPool()
            try await harness.output("volume", "create", "p", "v", "1M")
            let refused = [
                ["volume", "wipe", "p", "v", "-y"], ["volume", "download", "p", "v", harness.root + "/file"],
                ["volume", "upload", "p", "v", "/etc/passwd", "-y"], ["volume", "rebase", "p", "v", "--flatten"],
                ["volume", "metadata", "p", "v", "a=b"], ["volume", "clone", "p", "v", "w"],
            ]
            for command in refused {
                let result = try await Child.run(
                    builtProgram("cisternctl"), command, environment: ["CISTERN_BUS": harness.address], deadline: .seconds(30))
                // As soon as the daemon can, the others of these tests say more.
                if result.status != 0 { #expect(result.status == 1 && result.complaint.contains("not possible"), "\(result.complaint)") }
            }
            #expect(entries(directory).contains("v"))
        }
    }
}
