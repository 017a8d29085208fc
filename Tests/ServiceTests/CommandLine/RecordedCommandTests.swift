// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@testable import Service

/// What the real daemon cannot do yet, against something that has its signatures.
@Suite struct RecordedCommandTests {
    /// A recorder in the daemon's place.
    private func record(_ test: @LoopActor (Harness, Recorder) async throws -> Void) async throws {
        try await Harness.run(start: false) { harness in
            let recorder = try await Recorder(harness)
            defer { recorder.end() }
            try await test(harness, recorder)
        }
    }

    @Test func `the recorder has the signatures of the service, and no option that it has not`() async throws {
        Loop.shared.startThread()
        let pairs = await [
            (PlayedInterfaces.manager.xml, Interfaces.manager.xml), (PlayedInterfaces.pool.xml, Interfaces.pool.xml),
            (PlayedInterfaces.volume.xml, Interfaces.volume.xml),
        ]
        for (played, real) in pairs {
            let real = Self.methods(real)
            for (name, method) in Self.methods(played) {
                #expect(real[name]?.arguments == method.arguments, "\(name)")
                #expect(real[name]?.options.isSuperset(of: method.options) == true, "\(name)")
            }
        }
    }

    private static func methods(_ xml: String) -> [String: (arguments: [String], options: Set<String>)] {
        var methods: [String: (arguments: [String], options: Set<String>)] = [:]
        for method in xml.components(separatedBy: "<method name=\"").dropFirst() {
            let lines = method.prefix(upTo: "</method>").split(separator: "\n").map(String.init)
            let options = lines.first { $0.contains("org.bus.Options") }?.components(separatedBy: "value=\"").last?.prefix { $0 != "\"" }
            methods[String(method.prefix { $0 != "\"" })] = (
                lines.filter { $0.contains("<arg ") }, Set((options ?? "").components(separatedBy: ", "))
            )
        }
        return methods
    }

    @Test func `clone names source, pool, mode and format`() async throws {
        try await record { harness, recorder in
            let text = try await harness.output("volume", "clone", "images", "disk", "copy", "--mode", "reflink", "--format", "raw")
            #expect(text == "Volume copy is a copy of images/disk.\n")
            let request = try recorder.last("CloneVolume")
            #expect(request.object == Recorder.pool && request.arguments == [.path(Recorder.volume), .string("copy")])
            #expect(request.options == ["mode": .string("reflink"), "format": .string("raw")])
        }
    }

    @Test func `wipe asks, names what is lost, and means the volume that was shown`() async throws {
        try await record { harness, recorder in
            let wipe = ["volume", "wipe", "images", "base"]
            try await harness.expectRefusal(
                2, "images/base", "1 GiB", "1 MiB", "volume images/disk", "qemu (process 4711)", "--yes", by: wipe)
            #expect(recorder.requests.isEmpty)
            try await harness.output("volume", "wipe", "images", "base", "--algorithm", "clear", "-y")
            let request = try recorder.last("Wipe")
            #expect(request.object == Recorder.other && request.arguments == [.string("clear")])
            #expect(request.options == ["key": .string("key of base")])
            try await harness.expectRefusal(
                1, "not the one with the key", by: ["volume", "wipe", "images", "base", "-y", "--key", "key of disk"])
        }
    }

    @Test func `upload passes a descriptor of the file, or of standard input`() async throws {
        try await record { harness, recorder in
            writeFile(harness.root + "/file", Array("from a file".utf8))
            let upload = ["volume", "upload", "images", "disk", harness.root + "/file"]
            try await harness.expectRefusal(2, "1 MiB of it in use", "--yes", by: upload)
            try await harness.output(
                "volume", "upload", "images", "disk", harness.root + "/file", "--yes", "--offset", "1K", "--length", "2M")
            var request = try recorder.last("Upload")
            #expect(request.content == "from a file" && request.arguments == [.uint64(1024), .uint64(2 << 20)])
            #expect(request.options == ["key": .string("key of disk")])
            let piped = try await harness.cisternctl("volume", "upload", "images", "disk", "-", "--yes", input: "from a pipe")
            request = try recorder.last("Upload")
            #expect(piped.status == 0 && request.content == "from a pipe" && request.arguments == [.uint64(0), .uint64(0)])
            try await harness.expectRefusal(1, "No such file", by: ["volume", "upload", "images", "disk", "/nonexistent", "--yes"])
        }
    }

    @Test func `download makes a new file, and replaces one only if told to`() async throws {
        try await record { harness, recorder in
            let file = harness.root + "/new"
            try await harness.output("volume", "download", "images", "disk", file, "--offset", "4K")
            #expect(readFile(file) == "data" && fileStatus(file)?.st_mode == S_IFREG | 0o600)
            #expect(try recorder.last("Download").arguments == [.uint64(4096), .uint64(0)])
            writeFile(file, Array("what was there before".utf8))
            try await harness.expectRefusal(1, "exists", "--force", by: ["volume", "download", "images", "disk", file])
            #expect(readFile(file) == "what was there before")
            try await harness.output("volume", "download", "images", "disk", file, "--force")
            #expect(readFile(file) == "data" && entries(harness.root) == ["new"])
            let piped = try await harness.cisternctl("volume", "download", "images", "disk", "-")
            #expect(piped.text == "data" && piped.complaint == "Volume disk is in standard output.")
        }
    }

    @Test func `a download that is refused or fails leaves no file, and what was there before`() async throws {
        try await record { harness, recorder in
            let file = harness.root + "/file"
            recorder.refusal = BusError("org.cistern1.Error.NotSupported", "It cannot be done.")
            try await harness.expectRefusal(1, "It cannot be done.", by: ["volume", "download", "images", "disk", file])
            writeFile(file, Array("before".utf8))
            try await harness.expectRefusal(1, "It cannot be done.", by: ["volume", "download", "images", "disk", file, "--force"])
            #expect(entries(harness.root) == ["file"] && readFile(file) == "before")

            (recorder.refusal, recorder.startsJobs) = (nil, true)
            async let result = harness.cisternctl("volume", "download", "images", "disk", file, "--force", "--json")
            await recorder.hear()
            try recorder.finish("failed", error: "org.cistern1.Error.Unavailable", message: "The disk is gone.")
            let end = try await result
            #expect(end.status == 1 && end.complaint == "The disk is gone.")
            #expect(try JSONObject(end.text)["State"] == "failed")
            #expect(entries(harness.root) == ["file"] && readFile(file) == "before")
        }
    }

    @Test func `rebase goes onto a volume or onto nothing`() async throws {
        try await record { harness, recorder in
            try await harness.output("volume", "rebase", "images", "disk", "--onto", "images/base")
            #expect(try recorder.last("Rebase").arguments == [.path(Recorder.other)])
            try await harness.output("volume", "rebase", "images", "disk", "--flatten")
            #expect(try recorder.last("Rebase").arguments == [.path("/")])
            try await harness.expectRefusal(2, "--flatten", by: ["volume", "rebase", "images", "disk"])
        }
    }

    @Test func `metadata is shown, added to, taken from and cleared`() async throws {
        try await record { harness, recorder in
            #expect(try await harness.output("volume", "metadata", "images", "disk") == "owner=alice\nticket=12\n")
            #expect(recorder.requests.isEmpty)
            try await harness.output("volume", "metadata", "images", "disk", "a=b=c", "--remove", "ticket")
            let words: Variant = .dictionary(["owner": "alice", "a": "b=c"])
            #expect(try recorder.last("SetMetadata").arguments == [words])
            #expect(try recorder.last("SetMetadata").options == ["key": .string("key of disk")])
            try await harness.output("volume", "metadata", "images", "disk", "--clear")
            #expect(try recorder.last("SetMetadata").arguments == [.dictionary([String: String]())])
        }
    }

    @Test func `create passes everything that can be said of a new volume`() async throws {
        try await record { harness, recorder in
            writeFile(harness.root + "/passphrase", Array("s3cret".utf8))
            try await harness.output(
                "volume", "create", "images", "v", "1.5G", "--format", "qcow2", "--allocation", "metadata", "--mode", "0640", "--owner",
                "root", "--group", "12", "--backing", "images/base", "--backing-format", "raw", "--passphrase-file",
                harness.root + "/passphrase", "--compat", "1.1", "--cluster-size", "128K", "--lazy-refcounts", "--extended-l2",
                "--subformat", "x", "--security-label", "label", "--metadata", "a=b")
            let request = try recorder.last("CreateVolume")
            #expect(request.arguments == [.string("v"), .uint64(3 << 29)] && request.content == "s3cret")
            var options = request.options
            options["passphrase"] = nil
            #expect(
                options == [
                    "format": .string("qcow2"), "allocation": .string("metadata"), "mode": .uint32(0o640), "owner": .uint32(0),
                    "group": .uint32(12), "backing": .path(Recorder.other), "backing-format": .string("raw"), "compat": .string("1.1"),
                    "cluster-size": .uint64(128 << 10), "lazy-refcounts": .bool(true), "extended-l2": .bool(true),
                    "subformat": .string("x"), "security-label": .string("label"), "metadata": .dictionary(["a": "b"]),
                ])
            let xml = try await harness.cisternctl(
                "volume", "create", "--xml", "-", "images", "--source", "images/disk", input: "<volume/>")
            #expect(xml.status == 0, "\(xml.complaint)")
            #expect(try recorder.last("CreateVolumeXML").arguments == [.string("<volume/>")])
            #expect(try recorder.last("CreateVolumeXML").options == ["source": .path(Recorder.volume)])
            try await harness.output("volume", "create", "images", "overlay", "--format", "qcow2", "--backing", "images/base")
            #expect(try recorder.last("CreateVolume").arguments == [.string("overlay"), .uint64(1 << 30)], "as large as its backing")
        }
    }

    @Test func `sizes are binary, decimal with a B, and may have a fraction`() async throws {
        try await record { harness, recorder in
            let sizes: [(String, UInt64)] = [
                ("4096", 4096), ("3K", 3072), ("3KiB", 3072), ("3kB", 3000), ("3KB", 3000), ("2m", 2 << 20), ("2MB", 2_000_000),
                ("1.5G", 3 << 29), ("1T", 1 << 40), ("1PiB", 1 << 50), ("1E", 1 << 60), ("0.5K", 512),
            ]
            for (text, bytes) in sizes {
                try await harness.output("volume", "create", "images", "v", text)
                #expect(try recorder.last("CreateVolume").arguments.last == .uint64(bytes), "\(text)")
            }
            for text in ["", "1X", "16E", "-1", "1.5.5K", "K"] {
                try await harness.expectRefusal(2, by: ["volume", "create", "images", "v", "--", text])
            }
        }
    }

    @Test func `settings are typed as the pool type says`() async throws {
        try await record { harness, recorder in
            try await harness.output(
                "pool", "define", "images", "scsi", "--target", "/dev/disk", "--mode", "0711", "--device", "/dev/a,1", "--device", "/dev/b",
                "--host", "one:3260", "--host", "[fd00::1]", "--set", "source.adapter.name=host5", "--set",
                "source.adapter.unique-id=2", "--set", "source.adapter.managed=yes", "--set", "source.part-separator=no", "--set",
                "options.mount=ro,noexec", "--set", "options.mount=nodev", "--autostart", "--replace")
            let request = try recorder.last("DefinePool")
            #expect(request.options == ["autostart": .bool(true), "replace": .bool(true)])
            let settings = try #require(request.arguments.last?.dictionary)
            #expect(
                settings == [
                    "target.path": .string("/dev/disk"), "target.mode": .uint32(0o711), "source.devices": .strings(["/dev/a,1", "/dev/b"]),
                    "source.hosts": .array(
                        "(sq)", [.structure([.string("one"), .uint16(3260)]), .structure([.string("fd00::1"), .uint16(0)])]),
                    "source.adapter": .dictionary(["name": .string("host5"), "unique-id": .uint32(2), "managed": .bool(true)]),
                    "source.part-separator": .bool(false), "options.mount": .strings(["ro", "noexec", "nodev"]),
                ])
            let define = ["pool", "define", "images", "scsi", "--set"]
            try await harness.expectRefusal(2, "source.devices?", by: define + ["source.device=x"])
            try await harness.expectRefusal(2, "yes or no", by: define + ["source.part-separator=maybe"])
            try await harness.expectRefusal(2, "one.example", by: define + ["source.hosts=a:x"])
        }
    }

    @Test func `sources are looked for with settings and a time limit`() async throws {
        try await record { harness, recorder in
            let text = try await harness.output("pool", "sources", "scsi", "--host", "nas", "--timeout", "3")
            #expect(text == "SOURCE.FORMAT  SOURCE.PATH\n               /export\nnfs            /other\n")
            let request = try recorder.last("FindPoolSources")
            let place: [String: Variant] = ["source.hosts": .array("(sq)", [.structure([.string("nas"), .uint16(0)])])]
            #expect(request.arguments == [.string("scsi"), .dictionary(place)] && request.options == ["timeout": .uint32(3_000_000)])
            let json = try JSONObject.list(try await harness.output("pool", "sources", "scsi", "--json"))
            #expect(json.map { $0["source.path"] } == ["/export", "/other"])
        }
    }

    @Test func `secrets go by descriptor, from a file or standard input`() async throws {
        try await record { harness, recorder in
            #expect(try await harness.cisternctl("secret", "set", "san", input: "hunter2").status == 0)
            #expect(try recorder.last("SetSecret").arguments == [.string("san")])
            #expect(try recorder.last("SetSecret").content == "hunter2" && !recorder.last("SetSecret").mayAsk)
            writeFile(harness.root + "/secret", Array("other".utf8))
            try await harness.output("secret", "set", "nas", "--file", harness.root + "/secret")
            #expect(try recorder.last("SetSecret").content == "other")
            #expect(try await harness.output("secret", "list") == "nas\nsan\n")
            try await harness.expectRefusal(2, "--yes", by: ["secret", "remove", "san"])
            try await harness.output("secret", "remove", "san", "--yes")
            #expect(try recorder.last("RemoveSecret").arguments == [.string("san")])
        }
    }

    @Test func `holders are listed`() async throws {
        try await record { harness, _ in
            let lines = try await harness.output("volume", "holders", "images", "disk").split(separator: "\n")
            #expect(lines.first == "KIND     PROCESS  COMMAND  OBJECT  PATH" && lines.last == "process     4711  qemu             /dev/x")
            let json = try JSONObject.list(try await harness.output("volume", "holders", "images", "disk", "--json"))
            #expect(json.first?.number("pid") == 4711)
        }
    }

    @Test(arguments: [
        ("org.freedesktop.DBus.Error.AccessDenied", 4), ("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", 4),
        ("org.cistern1.Error.Busy", 1), ("org.freedesktop.DBus.Error.InvalidArgs", 1),
    ])
    func `error names choose the exit code`(name: String, status: Int32) async throws {
        try await record { harness, recorder in
            recorder.refusal = BusError(name, "No, for a reason.")
            try await harness.expectRefusal(status, "No, for a reason.", by: ["volume", "wipe", "images", "disk", "-y"])
        }
    }
}
