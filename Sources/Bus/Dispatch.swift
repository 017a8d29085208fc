// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CSystemd
internal import EventLoop
import Glibc

extension ObjectServer {
    /// Answers one method call, now or later. Everything but org.freedesktop.DBus.Peer comes here.
    func dispatch(_ raw: OpaquePointer) -> Int32 {
        var type: UInt8 = 0
        guard sd_bus_message_get_type(raw, &type) >= 0, Int(type) == Int(SD_BUS_MESSAGE_METHOD_CALL),
            let path = sd_bus_message_get_path(raw), let member = sd_bus_message_get_member(raw)
        else { return 0 }
        do throws(BusError) {
            try route(raw, ObjectPath(unchecked: String(cString: path)), sd_bus_message_get_interface(raw), member)
        } catch {
            Message(retaining: raw).replyError(error)
        }
        return 1
    }

    private func route(
        _ raw: OpaquePointer, _ path: ObjectPath, _ interface: UnsafePointer<CChar>?, _ member: UnsafePointer<CChar>
    ) throws(BusError) {
        let box = tree.box(at: path)
        guard let interface else { return try route(raw, path, box, member) }
        if let box {
            if strcmp(interface, StandardInterfaces.propertiesName) == 0 { return try properties(raw, path, box, member) }
            for candidate in box.interfaces where candidate.isNamed(interface) {
                guard let index = candidate.methods[text(member)] else { throw Self.unknownMethod(text(member), candidate) }
                return try invoke(raw, box, candidate, index)
            }
        }
        if strcmp(interface, StandardInterfaces.introspectableName) == 0, strcmp(member, "Introspect") == 0 {
            return try introspect(raw, path, box)
        }
        if strcmp(interface, StandardInterfaces.objectManagerName) == 0, let node = tree.node(at: path), let manager = node.manager {
            return try manage(raw, node, manager, member)
        }
        guard box != nil || tree.exists(path) else { throw unknownObject(path) }
        if StandardInterfaces.names.contains(text(interface)), box != nil || text(interface) != StandardInterfaces.propertiesName {
            throw .unknownMethod("\(text(interface)) has no method \(text(member)); introspect \(path) to see what there is.")
        }
        throw unknownInterface(text(interface), path, box)
    }

    /// A call that names no interface: the first method of that name.
    private func route(_ raw: OpaquePointer, _ path: ObjectPath, _ box: Box?, _ member: UnsafePointer<CChar>) throws(BusError) {
        let name = text(member)
        for candidate in box?.interfaces ?? [] {
            if let index = candidate.methods[name], let box { return try invoke(raw, box, candidate, index) }
        }
        if let box, ["Get", "GetAll", "Set"].contains(name) { return try properties(raw, path, box, member) }
        if name == "Introspect" { return try introspect(raw, path, box) }
        if name == "GetManagedObjects", let node = tree.node(at: path), let manager = node.manager {
            return try manage(raw, node, manager, member)
        }
        guard box != nil || tree.exists(path) else { throw unknownObject(path) }
        throw .unknownMethod("\(path) has no method \(name); introspect it to see what there is.")
    }

    // MARK: Declared methods

    /// Checks the arguments, then starts the call.
    private func invoke(_ raw: OpaquePointer, _ box: Box, _ interface: AnyInterface, _ index: Int) throws(BusError) {
        let method = interface.method(index)
        try Self.require(method.input, raw, "\(interface.name).\(method.name) \(method.usage)")
        let reader = MessageReader(raw, budget: MessageReader.callerBudget)
        reader.schema = method.schema
        let prepared = try interface.prepare(index, reader)
        let call = Call(raw, connection)
        call.bytes = reader.bytes
        start(call, method.access, box, prepared, output: method.output)
    }

    /// Runs a checked call as a task of its own, up to its first suspension right now: calls start in the order they came.
    func start(_ call: Call, _ access: Access, _ box: Box, _ prepared: PreparedCall, output: String) {
        Task.immediate(executorPreference: Loop.shared) { @LoopActor in
            await Call.$current.withValue(call) {
                var failure: BusError?
                do {
                    try await self.perform(call, access, box, prepared, output)
                } catch {
                    let error = error as? BusError ?? self.describe(error)
                    call.fail(error)
                    failure = error
                }
                if access != .everyone { self.ended(call, box.anyObject, failure) }
            }
        }
    }

    private func perform(_ call: Call, _ access: Access, _ box: Box, _ prepared: PreparedCall, _ output: String) async throws {
        if case .action(let action) = access {
            try await authorize(call, action, box.anyObject)
            guard box.isExported else { throw unknownObject(call.path) }
        }
        switch prepared {
        case .plain(let run):
            let fill = try await run(box)
            let reply = try call.newReply()
            let writer = MessageWriter(reply.raw)
            try fill(writer)
            call.reply(reply, expected: output, bytes: writer.bytes)
        case .streaming(let run):
            let reply = try call.newReply()
            let writer = MessageWriter(reply.raw)
            try await run(box, writer)
            call.reply(reply, expected: output, bytes: writer.bytes)
        }
    }

    // MARK: Introspection and ObjectManager

    private func introspect(_ raw: OpaquePointer, _ path: ObjectPath, _ box: Box?) throws(BusError) {
        try Self.require("", raw, "Introspect takes no arguments")
        guard let children = tree.children(of: path) else { throw unknownObject(path) }
        let xml = Introspection.document(
            of: box?.interfaces ?? [], isObject: box != nil, isManager: tree.node(at: path)?.manager != nil, children: children)
        try reply(to: raw) { writer throws(BusError) in try xml.append(writer) }
    }

    private func manage(_ raw: OpaquePointer, _ node: Node, _ manager: Manager, _ member: UnsafePointer<CChar>) throws(BusError) {
        guard strcmp(member, "GetManagedObjects") == 0 else {
            throw .unknownMethod("\(StandardInterfaces.objectManagerName) has no method \(text(member)); it has GetManagedObjects.")
        }
        try Self.require("", raw, "GetManagedObjects takes no arguments")
        let call = Call(raw, connection)
        Task.immediate(executorPreference: Loop.shared) { @LoopActor in
            do {
                try await self.listManagedObjects(call, node, manager)
            } catch {
                call.fail(error as? BusError ?? self.describe(error))
            }
        }
    }

    // MARK: Errors

    func isStandard(_ name: String) -> Bool { StandardInterfaces.names.contains(name) || name == StandardInterfaces.objectManagerName }

    func unknownObject(_ path: ObjectPath) -> BusError {
        let parent = path.parent
        let hint =
            tree.node(at: parent)?.manager != nil
            ? "GetManagedObjects of \(parent) lists what there is" : "introspect \(parent) to see what there is"
        return .unknownObject("There is no object \(path), or no longer; \(hint).")
    }

    func unknownInterface(_ name: String, _ path: ObjectPath, _ box: Box?) -> BusError {
        guard let box else { return .unknownInterface("\(path) is no object of its own, but leads to some; introspect it to see which.") }
        return .unknownInterface("\(path) has no interface \(name); it has \(box.interfaces.map(\.name).joined(separator: ", ")).")
    }

    private static func unknownMethod(_ name: String, _ interface: AnyInterface) -> BusError {
        let known = interface.methods.keys.sorted()
        let hint = known.isEmpty ? "it has none" : "it has \(known.joined(separator: ", "))"
        return .unknownMethod("\(interface.name) has no method \(name); \(hint).")
    }
}
