// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@Suite struct PoolCommandTests {
    @Test func `a pool's life, a command at a time`() async throws {
        try await Harness.run { harness in
            let target = harness.root + "/images"
            let defined = try await harness.output("pool", "define", "images", "dir", "--target", target, "--mode", "0750")
            #expect(defined == "Pool images is defined; `cisternctl pool start images` starts it.\n")
            #expect(try await harness.output("pool", "build", "images") == "Pool images is built.\n")
            #expect(fileStatus(target)?.st_mode == S_IFDIR | 0o750)
            #expect(try await harness.output("pool", "start", "images") == "Pool images is started.\n")
            #expect(try await harness.output("pool", "refresh", "images") == "Pool images is scanned.\n")
            #expect(try await harness.output("pool", "autostart", "images", "on") == "Autostart of pool images is on.\n")
            let row = try await harness.output("pool", "list").split(separator: "\n")[1].split(separator: " ")
            #expect(row.prefix(4) == ["images", "dir", "active", "yes"])
            #expect(try await harness.output("pool", "info", "images").contains("State:       active\n"))
            #expect(try await harness.output("pool", "stop", "images", "--quiet") == "")
            #expect(try await harness.output("pool", "delete", "images", "--yes") == "The storage of pool images is deleted.\n")
            #expect(fileStatus(target) == nil)
            #expect(try await harness.output("pool", "undefine", "images", "-y") == "Pool images is forgotten.\n")
            #expect(try await harness.output("pool", "list", "--json") == "[]\n")
        }
    }

    @Test func `JSON is what the bus says`() async throws {
        try await Harness.run(simulate: true) { harness in
            let pool = try await harness.simulatedPool(throttle: 1 << 30)
            let expected = try await harness.expectedJSON(pool, Harness.poolInterface)
            #expect(try JSONObject(try await harness.output("pool", "info", "s", "--json")) == expected)
            #expect(try JSONObject.list(try await harness.output("pool", "list", "--json")) == [expected])
            let changed = try JSONObject(try await harness.output("pool", "autostart", "s", "on", "--json"))
            #expect(changed.flag("Autostart") == true && changed.without("Autostart") == expected.without("Autostart"))
            let xml = try JSONObject(try await harness.output("pool", "xml", "s", "--json"))
            #expect(xml["XML"] == (try await harness.output("pool", "xml", "s")) && xml["Object"] == pool.description)

            let job = try JSONObject(try await harness.output("pool", "stop", "s", "--json"))
            let path = try #require(job["Object"].flatMap { ObjectPath($0) })
            let ended = try await harness.expectedJSON(path, Harness.jobInterface)
            let differences = job.differences(from: ended)
            #expect(differences == [], "\(differences)")
            #expect(job["State"] == "completed" && job["Operation"] == "Pool.Stop")
            let started = try JSONObject(try await harness.output("pool", "start", "s", "--json", "--no-wait"))
            #expect(started["Operation"] == "Pool.Start")
            #expect(try JSONObject(try await harness.output("pool", "info", "s", "--json")).number("Capacity") == 1 << 40)
        }
    }

    @Test func `unknown sizes are null in JSON and dashes in tables`() async throws {
        try await Harness.run { harness in
            let pool = try await harness.define("p", harness.root + "/p")
            let info = try JSONObject(try await harness.output("pool", "info", "p", "--json"))
            #expect(info.isNull("Capacity") && info.number("Capacity") == nil)
            #expect(info == (try await harness.expectedJSON(pool, Harness.poolInterface)))
            let row = try await harness.output("pool", "list").split(separator: "\n")[1].split(separator: " ")
            #expect(row == ["p", "dir", "inactive", "no", "-", "-", "-", "0"])
        }
    }

    @Test func `XML is defined, printed and replaced`() async throws {
        try await Harness.run { harness in
            let xml = "<pool type='dir'><name>x</name><target><path>\(harness.root)/x</path></target></pool>"
            let defined = try await harness.cisternctl("pool", "define-xml", "-", "--autostart", "--json", input: xml)
            #expect(try JSONObject(defined.text)["Name"] == "x")
            let printed = try await harness.output("pool", "xml", "x", "--compatible")
            #expect(printed.contains("<path>\(harness.root)/x</path>"))
            let changed = printed.components(separatedBy: "/x</path>").joined(separator: "/y</path>")
            try await harness.expectRefusal(1, "x", by: ["pool", "define", "x", "dir", "--target", "/y"])
            #expect(try await harness.cisternctl("pool", "define-xml", "-", "--replace", input: changed).status == 0)
            #expect(try await harness.output("pool", "xml", "x").contains("/y</path>"))
            let good = try await harness.cisternctl("pool", "define", "z", "dir", "--target", "/z", "--validate-only")
            #expect(good.text == "The definition is good; nothing was defined.\n")
            try await harness.expectRefusal(1, "no pool z", by: ["pool", "info", "z"])
            let bad = try await harness.cisternctl("pool", "define-xml", "-", input: "<pool>\n<oops/></pool>")
            #expect(bad.status == 1 && bad.complaint.contains("line"), "\(bad.complaint)")
        }
    }

    @Test func `names that nobody has suggest near ones`() async throws {
        try await Harness.run { harness in
            _ = try await harness.startedPool("images")
            try await harness.expectRefusal(1, "Did you mean images?", by: ["pool", "info", "imgaes"])
            try await harness.output("volume", "create", "images", "disk.qcow2", "1M")
            try await harness.expectRefusal(1, "Did you mean disk.qcow2?", by: ["volume", "info", "images", "disk.qcow"])
            let far = try await harness.cisternctl("pool", "info", "zzz")
            #expect(far.status == 1 && !far.complaint.contains("Did you mean"))
        }
    }

    @Test func `types and their settings are told`() async throws {
        try await Harness.run { harness in
            let types = try await harness.call(
                Harness.manager, Harness.managerInterface, "GetPoolTypes", [String: Variant](), returning: [String: [String: Variant]].self)
            let json = try JSONObject(try await harness.output("pool", "types", "--json"))
            #expect(Set(json.members.keys) == Set(types.keys))
            #expect(json.object("dir") == types["dir"].map { JSONObject($0) })
            #expect(try await harness.output("pool", "types").contains("dir"))
            #expect(try await harness.output("pool", "types", "dir").contains("target.path: text"))
            try await harness.expectRefusal(2, "dir", by: ["pool", "types", "dri"])
        }
    }

    @Test func `settings of every kind are what the pool then has`() async throws {
        try await Harness.run { harness in
            let definitions: [(arguments: [String], settings: [String: Variant])] = [
                (
                    ["netfs", "--host", "nas:2049", "--source-path", "/x", "--target", "/y", "--set", "options.mount=ro,noexec"],
                    [
                        "source.hosts": .array("(sq)", [.structure([.string("nas"), .uint16(2049)])]), "source.path": .string("/x"),
                        "target.path": .string("/y"), "options.mount": .strings(["ro", "noexec"]),
                    ]
                ),
                (
                    ["scsi", "--set", "source.adapter.type=scsi_host", "--set", "source.adapter.name=host5", "--target", "/dev/disk"],
                    [
                        "source.adapter": .dictionary(["type": .string("scsi_host"), "name": .string("host5")]),
                        "target.path": .string("/dev/disk"),
                    ]
                ),
                (
                    ["logical", "--device", "/dev/a", "--device", "/dev/b,c", "--source-name", "vg", "--source-format", "lvm2"],
                    [
                        "source.devices": .strings(["/dev/a", "/dev/b,c"]), "source.name": .string("vg"),
                        "source.format": .string("lvm2"),
                    ]
                ),
            ]
            for (arguments, settings) in definitions {
                let name = arguments[0] + " pool"
                let defined = try await Child.run(
                    builtProgram("cisternctl"), ["pool", "define", name] + arguments, environment: ["CISTERN_BUS": harness.address],
                    deadline: .seconds(30))
                #expect(defined.status == 0, "\(defined.complaint)")
                let pool = try await harness.call(
                    Harness.manager, Harness.managerInterface, "GetPool", name, [String: Variant](), returning: ObjectPath.self)
                #expect(try await harness.properties(pool, Harness.poolInterface)["Settings"]?.dictionary == settings, "\(name)")
            }
        }
    }

    @Test func `what destroys wants a terminal or --yes, and names the place`() async throws {
        try await Harness.run { harness in
            let (_, directory) = try await harness.startedPool("p")
            try await harness.stop("p")
            try await harness.expectRefusal(2, "target.path=\(directory)", "--yes", by: ["pool", "delete", "p"])
            try await harness.expectRefusal(2, "target.path=\(directory)", "--yes", by: ["pool", "build", "p", "--overwrite"])
            try await harness.expectRefusal(2, "--yes", by: ["pool", "undefine", "p"])
            #expect(fileStatus(directory) != nil)
        }
    }
}
