// SPDX-License-Identifier: LGPL-2.1-or-later

/// Introspection documents.
enum Introspection {
    private static let header = """
        <!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
         "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">

        """

    /// The document of one interface alone.
    static func document(of interface: AnyInterface) -> String {
        header + "<node>\n" + text(of: interface.name, interface.documentation, interface.members) + "</node>\n"
    }

    /// The document of a path: its interfaces and what is below it.
    static func document(of interfaces: [AnyInterface], isObject: Bool, isManager: Bool, children: [String]) -> String {
        var xml = header + "<node>\n"
        xml += StandardInterfaces.peer + StandardInterfaces.introspectable
        if isObject { xml += StandardInterfaces.properties }
        if isManager { xml += StandardInterfaces.objectManager }
        for interface in interfaces { xml += text(of: interface.name, interface.documentation, interface.members) }
        for child in children { xml += "  <node name=\"\(child)\"/>\n" }
        return xml + "</node>\n"
    }

    static func text(of name: String, _ documentation: String, _ members: [MemberDescription]) -> String {
        var xml = "  <interface name=\"\(name)\">\n"
        if !documentation.isEmpty { xml += annotation("org.gtk.GDBus.DocString", documentation, indent: 4) }
        for member in members {
            switch member {
            case .method(let method): xml += text(of: method)
            case .property(let property): xml += text(of: property)
            case .signal(let signal): xml += text(of: signal)
            }
        }
        return xml + "  </interface>\n"
    }

    private static func text(of method: MethodDescription) -> String {
        var body = ""
        for argument in method.inputs { body += self.argument(argument, " direction=\"in\"") }
        for argument in method.outputs { body += self.argument(argument, " direction=\"out\"") }
        body += documentationText(method.documentation)
        if case .action(let action) = method.access { body += annotation("org.bus.Action", action, indent: 6) }
        if let schema = method.schema, !schema.types.isEmpty { body += annotation("org.bus.Options", schema.summary, indent: 6) }
        if (method.input + method.output).utf8.contains(UInt8(ascii: "h")) {
            body += annotation("org.gtk.GDBus.C.UnixFD", "true", indent: 6)
        }
        return element("method", " name=\"\(method.name)\"", body)
    }

    private static func text(of property: PropertyDescription) -> String {
        var body = annotation("org.freedesktop.DBus.Property.EmitsChangedSignal", property.announcement.rawValue, indent: 6)
        body += documentationText(property.documentation)
        if case .action(let action) = property.access { body += annotation("org.bus.Action", action, indent: 6) }
        let access = property.access == nil ? "read" : "readwrite"
        return element("property", " name=\"\(property.name)\" type=\"\(property.type)\" access=\"\(access)\"", body)
    }

    private static func text(of signal: Signal) -> String {
        let body = signal.arguments.map { argument($0, "") }.joined() + documentationText(signal.documentation)
        return element("signal", " name=\"\(signal.name)\"", body)
    }

    private static func element(_ tag: String, _ attributes: String, _ body: String) -> String {
        body.isEmpty ? "    <\(tag)\(attributes)/>\n" : "    <\(tag)\(attributes)>\n\(body)    </\(tag)>\n"
    }

    private static func argument(_ argument: Argument, _ direction: String) -> String {
        "      <arg type=\"\(argument.type)\" name=\"\(argument.name)\"\(direction)/>\n"
    }

    private static func documentationText(_ text: String) -> String {
        text.isEmpty ? "" : annotation("org.gtk.GDBus.DocString", text, indent: 6)
    }

    private static func annotation(_ name: String, _ value: String, indent: Int) -> String {
        String(repeating: " ", count: indent) + "<annotation name=\"\(name)\" value=\"\(escape(value))\"/>\n"
    }

    private static func escape(_ text: String) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "\n": escaped += " "
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}

/// The interfaces of the D-Bus specification, as every object lists them.
enum StandardInterfaces {
    static let names = ["org.freedesktop.DBus.Peer", "org.freedesktop.DBus.Introspectable", "org.freedesktop.DBus.Properties"]
    static let objectManagerName = "org.freedesktop.DBus.ObjectManager"
    static let introspectableName = "org.freedesktop.DBus.Introspectable"
    static let propertiesName = "org.freedesktop.DBus.Properties"

    static let peer = Introspection.text(
        of: "org.freedesktop.DBus.Peer", "",
        [method("Ping", [], []), method("GetMachineId", [], [("machine_uuid", "s")])])

    static let introspectable = Introspection.text(of: introspectableName, "", [method("Introspect", [], [("xml_data", "s")])])

    static let properties = Introspection.text(
        of: propertiesName, "",
        [
            method("Get", [("interface_name", "s"), ("property_name", "s")], [("value", "v")]),
            method("GetAll", [("interface_name", "s")], [("props", "a{sv}")]),
            method("Set", [("interface_name", "s"), ("property_name", "s"), ("value", "v")], []),
            .signal(
                Signal(
                    "PropertiesChanged", "", arguments: ("interface_name", "s"), ("changed_properties", "a{sv}"),
                    ("invalidated_properties", "as"))),
        ])

    static let objectManager = Introspection.text(
        of: objectManagerName, "",
        [
            method("GetManagedObjects", [], [("object_paths_interfaces_and_properties", "a{oa{sa{sv}}}")]),
            .signal(Signal("InterfacesAdded", "", arguments: ("object_path", "o"), ("interfaces_and_properties", "a{sa{sv}}"))),
            .signal(Signal("InterfacesRemoved", "", arguments: ("object_path", "o"), ("interfaces", "as"))),
        ])

    private static func method(_ name: String, _ inputs: [(String, String)], _ outputs: [(String, String)]) -> MemberDescription {
        .method(
            MethodDescription(
                name, "", inputs.map { Argument(name: $0.0, type: $0.1) }, outputs.map { Argument(name: $0.0, type: $0.1) }))
    }
}
