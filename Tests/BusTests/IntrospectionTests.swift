// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import TestSupport
import Testing

/// What tools see that know nothing but D-Bus.
@Suite struct IntrospectionTests {
    private static let prefixes: [ObjectPath] = ["/", "/org", Stage.root, Stage.things, Stage.thing(0)]

    private func filled(_ count: Int = 3) async throws -> Stage {
        let stage = try await Stage.set()
        await stage.fill(count)
        await stage.server.export(Shelf(), at: Stage.root, [Shelf.interface])
        return stage
    }

    @Test(arguments: prefixes) func gdbusReadsEveryPrefix(_ path: ObjectPath) async throws {
        let stage = try await filled()
        let (status, text) = try await output(
            "/usr/bin/gdbus",
            ["introspect", "--address", stage.bus.address, "--dest", Stage.name, "--object-path", path.description])
        #expect(status == 0, "\(text)")
        #expect(text.contains("interface org.freedesktop.DBus.Introspectable"))
        #expect(text.contains("interface org.freedesktop.DBus.ObjectManager") == (path == Stage.things))
    }

    @Test(arguments: prefixes) func busctlReadsEveryPrefix(_ path: ObjectPath) async throws {
        let stage = try await filled()
        let (status, text) = try await output(
            "/usr/bin/busctl", ["--address=\(stage.bus.address)", "introspect", Stage.name, path.description])
        #expect(status == 0, "\(text)")
        #expect(text.contains("org.freedesktop.DBus.Peer"))
    }

    @Test func busctlShowsMembersAndValues() async throws {
        let stage = try await filled()
        let (_, text) = try await output(
            "/usr/bin/busctl", ["--address=\(stage.bus.address)", "introspect", Stage.name, Stage.thing(2).description])
        let lines = text.split(separator: "\n").map { $0.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
        for line in [
            ".Make method sta{sv} oo -", ".Shapes method a{sv}a(st)v va(st) -", ".Name property s \"n2\" const",
            ".Size property t 2 emits-change", ".Details property a{sv} 0 emits-invalidation", ".Secret property u 0 -",
            ".Moved signal su - -", ".List method a{sv}a{sv} a(oa{sv})s -",
        ] {
            #expect(lines.contains(line), "\(line) is not in\n\(text)")
        }
    }

    @Test func argumentsAreSplitAndAnnotated() async throws {
        let xml = Shelf.interface.xml
        for line in [
            #"<arg type="a{sv}" name="map" direction="in"/>"#, #"<arg type="a(st)" name="pairs" direction="out"/>"#,
            #"<arg type="a{sv}" name="options" direction="in"/>"#, #"<annotation name="org.bus.Action" value="org.example1.make"/>"#,
            #"<annotation name="org.gtk.GDBus.DocString" value="A place for &lt;things&gt; &amp; &quot;more&quot;."/>"#,
            #"<annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="const"/>"#,
            #"<annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="true"/>"#,
            #"<annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="invalidates"/>"#,
            #"<annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="false"/>"#,
        ] {
            #expect(xml.contains(line), "\(line)")
        }
        #expect(xml.components(separatedBy: "org.gtk.GDBus.C.UnixFD").count == 3, "Measure and Open, and no other")
        #expect(xml == Shelf.interface.xml)
    }

    @Test func treesEndAtOnce() async throws {
        let stage = try await filled(2000)
        let clock = ContinuousClock()
        let start = clock.now
        let (status, text) = try await output("/usr/bin/busctl", ["--address=\(stage.bus.address)", "tree", Stage.name])
        #expect(status == 0)
        #expect(text.contains("/org/example1/things/n1999"))
        #expect(clock.now - start < .seconds(20))
    }

    @Test func nothingIsThereButWhatIsExported() async throws {
        let stage = try await filled()
        for path in ["/com", "/org/example", "/org/example1/things/n9", "/org/example1/things/n0/deeper"] as [ObjectPath] {
            let error = await failure {
                _ = try await stage.client.call(
                    Stage.name, path, "org.freedesktop.DBus.Introspectable", "Introspect", returning: String.self)
            }
            #expect(error?.name == "org.freedesktop.DBus.Error.UnknownObject", "\(path)")
        }
    }

    @Test func childrenFollowExports() async throws {
        let stage = try await filled(1)
        let introspect: @Sendable (ObjectPath) async throws -> String = { path in
            try await stage.client.call(Stage.name, path, "org.freedesktop.DBus.Introspectable", "Introspect", returning: String.self)
        }
        #expect(try await introspect("/").contains(#"<node name="org"/>"#))
        #expect(try await introspect(Stage.things).contains(#"<node name="n0"/>"#))
        await stage.server.remove(Stage.thing(0))
        #expect(try await !introspect(Stage.things).contains("<node name="))
        await stage.server.removeManager(at: Stage.things)
        #expect(try await !introspect(Stage.root).contains("<node name="))
    }
}

extension String {
    func components(separatedBy separator: String) -> [Substring] {
        var parts: [Substring] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(rest[..<range.lowerBound])
            rest = rest[range.upperBound...]
        }
        return parts + [rest]
    }
}
