// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CSystemd
internal import EventLoop
import Glibc

/// org.freedesktop.DBus.Properties. Get and GetAll answer at once, without a task.
extension ObjectServer {
    func properties(_ raw: OpaquePointer, _ path: ObjectPath, _ box: Box, _ member: UnsafePointer<CChar>) throws(BusError) {
        if strcmp(member, "Get") == 0 { return try get(raw, path, box) }
        if strcmp(member, "GetAll") == 0 { return try getAll(raw, path, box) }
        if strcmp(member, "Set") == 0 { return try set(raw, path, box) }
        throw .unknownMethod("\(StandardInterfaces.propertiesName) has no method \(text(member)); it has Get, GetAll and Set.")
    }

    private func get(_ raw: OpaquePointer, _ path: ObjectPath, _ box: Box) throws(BusError) {
        try Self.require("ss", raw, "Properties.Get takes (ss): the interface and the property")
        let interfaceName = try Self.readText(raw)
        let name = try Self.readText(raw)
        let (interface, index) = try find(interfaceName, name, path, box)
        interface.wasRead(box)
        try reply(to: raw) { writer throws(BusError) in
            try writer.beginVariant(interface.properties[index].type)
            try interface.append(index, of: box, to: writer)
            try writer.end()
        }
    }

    private func getAll(_ raw: OpaquePointer, _ path: ObjectPath, _ box: Box) throws(BusError) {
        try Self.require("s", raw, "Properties.GetAll takes (s): the interface, or nothing for all")
        let name = try Self.readText(raw)
        let chosen = name.pointee == 0 ? box.interfaces : box.interfaces.filter { $0.isNamed(name) }
        if chosen.isEmpty, !box.interfaces.isEmpty, !isStandard(text(name)) { throw unknownInterface(text(name), path, box) }
        for interface in chosen { interface.wasRead(box) }
        try reply(to: raw) { writer throws(BusError) in
            try writer.beginArray("{sv}")
            for interface in chosen { try interface.appendEntries(interface.allProperties, of: box, to: writer) }
            try writer.end()
        }
    }

    /// What `interface` and `name` mean; "" as the interface is any that has the property.
    private func find(
        _ interfaceName: UnsafePointer<CChar>, _ name: UnsafePointer<CChar>, _ path: ObjectPath, _ box: Box
    ) throws(BusError) -> (AnyInterface, Int) {
        let isAny = interfaceName.pointee == 0
        var isKnown = isAny
        for interface in box.interfaces where isAny || interface.isNamed(interfaceName) {
            isKnown = true
            if let index = interface.property(named: name) { return (interface, index) }
        }
        guard isKnown || isStandard(text(interfaceName)) else { throw unknownInterface(text(interfaceName), path, box) }
        let known = box.interfaces.filter { isAny || $0.isNamed(interfaceName) }.flatMap { $0.properties.map(\.name) }
        let hint = known.isEmpty ? "there are none" : "there are " + known.joined(separator: ", ")
        throw .unknownProperty("\(isAny ? path.description : text(interfaceName)) has no property \(text(name)); \(hint).")
    }

    private func set(_ raw: OpaquePointer, _ path: ObjectPath, _ box: Box) throws(BusError) {
        try Self.require("ssv", raw, "Properties.Set takes (ssv): the interface, the property and its value")
        let interfaceName = try Self.readText(raw)
        let name = try Self.readText(raw)
        let (interface, index) = try find(interfaceName, name, path, box)
        let property = interface.properties[index]
        guard let access = property.access else {
            throw .propertyReadOnly("\(interface.name).\(property.name) cannot be written; use the methods of the interface.")
        }
        let reader = MessageReader(raw, budget: MessageReader.callerBudget)
        let contents = try reader.variantContents()
        guard contents == property.type else {
            throw .invalidArguments("\(interface.name).\(property.name) is of type \(property.type), not \(contents).")
        }
        try reader.begin("v", contents)
        let prepared = try interface.prepareSet(index, reader)
        let call = Call(raw, connection)
        call.bytes = reader.bytes
        start(call, access, box, prepared, output: "")
    }

    // MARK: Writing properties

    /// a{sa{sv}}: all interfaces of an object with all their properties.
    func appendInterfaces(_ box: Box, to writer: MessageWriter) throws(BusError) {
        try writer.beginArray("{sa{sv}}")
        for interface in box.interfaces {
            try writer.beginEntry("sa{sv}")
            try interface.name.append(writer)
            try append(interface.allProperties, of: interface, box, to: writer)
            try writer.end()
        }
        try writer.end()
    }

    /// a{sv} of some properties.
    func append(_ properties: [Int], of interface: AnyInterface, _ box: Box, to writer: MessageWriter) throws(BusError) {
        try writer.beginArray("{sv}")
        try interface.appendEntries(properties, of: box, to: writer)
        try writer.end()
    }

    // MARK: Small things

    /// Replies at once.
    func reply(to raw: OpaquePointer, _ fill: @LoopActor (MessageWriter) throws(BusError) -> Void) throws(BusError) {
        var created: OpaquePointer?
        let result = sd_bus_message_new_method_return(raw, &created)
        guard result >= 0, let created else { throw .errno(result, doing: "reply") }
        defer { sd_bus_message_unref(created) }
        try fill(MessageWriter(created))
        try connection.send(created)
    }

    static func require(_ signature: String, _ raw: OpaquePointer, _ usage: @autoclosure () -> String) throws(BusError) {
        let got = sd_bus_message_get_signature(raw, 1)
        if let got, strcmp(got, signature) == 0 { return }
        throw .invalidArguments("\(usage()), but was called with (\(text(got))).")
    }

    /// A text that lives as long as the message.
    private static func readText(_ raw: OpaquePointer) throws(BusError) -> UnsafePointer<CChar> {
        var pointer: UnsafePointer<CChar>?
        let result = withUnsafeMutablePointer(to: &pointer) { sd_bus_message_read_basic(raw, CChar(UInt8(ascii: "s")), $0) }
        guard result > 0, let pointer else { throw .errno(result < 0 ? result : -EBADMSG, doing: "read the message") }
        return pointer
    }
}
