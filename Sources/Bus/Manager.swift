// SPDX-License-Identifier: LGPL-2.1-or-later
internal import EventLoop

/// An ObjectManager: the objects one label below its path, announced and listed together.
@LoopActor
final class Manager {
    /// What a caller can do whose listing is too large.
    let hint: String
    /// The listing being written. One at a time: it may have 24 MiB.
    private(set) var listing: Listing?
    private var lastListing: UInt32 = 0
    private var waiting: [UnsafeContinuation<Void, Never>] = []

    init(hint: String) { self.hint = hint }

    /// Waits until no other listing is being written, and begins one.
    func beginListing() async -> Listing {
        while listing != nil {
            await withUnsafeContinuation { continuation in
                // It may have ended on the way here.
                if listing == nil { continuation.resume() } else { waiting.append(continuation) }
            }
        }
        lastListing &+= 1
        if lastListing == 0 { lastListing = 1 }
        let begun = Listing(lastListing)
        listing = begun
        return begun
    }

    func endListing() {
        listing = nil
        if !waiting.isEmpty { waiting.removeFirst().resume() }
    }
}

/// A reply to GetManagedObjects while it is written, in slices: between two of them objects come, change and go. All of that is
/// signalled at once, as ever, so a caller sees those signals before a reply that in part is older. What the reply has wrong is
/// therefore kept here, and told to this caller again, after the reply.
@LoopActor
final class Listing {
    let id: UInt32
    /// Objects that came: they are written at the end.
    var added: [String] = []
    /// Objects that went after they had been written, with their interfaces.
    private(set) var gone: [String: [AnyInterface]] = [:]
    /// Properties that changed after they had been written: per object, by position of its interfaces.
    private(set) var changed: [String: [Int: Set<Int>]] = [:]

    init(_ id: UInt32) { self.id = id }

    func objectAdded(_ label: String) {
        // A successor of what was written already comes as a correction: a label must not be in the reply twice.
        if gone[label] == nil { added.append(label) }
    }

    func objectRemoved(_ label: String, _ box: Box) {
        guard box.listing == id else { return }
        gone[label] = box.interfaces
        changed[label] = nil
    }

    func objectChanged(_ label: String, _ box: Box, _ interface: Int, _ properties: [Int]) {
        guard box.listing == id else { return }
        changed[label, default: [:]][interface, default: []].formUnion(properties)
    }
}

extension ObjectServer {
    /// Writes and sends the reply to GetManagedObjects.
    func listManagedObjects(_ call: Call, _ node: Node, _ manager: Manager) async throws {
        let listing = await manager.beginListing()
        defer { manager.endListing() }
        let reply = try call.newReply()
        let writer = MessageWriter(reply.raw, limit: Self.listingLimit, remedy: manager.hint)
        var slice = Slice()
        try writer.beginArray("{oa{sa{sv}}}")
        for (label, box) in node.objects where box.isExported {
            try write(label, box, of: node, into: writer, listing)
            if slice.isOver() { await slice.rest() }
        }
        var position = 0
        while position < listing.added.count {
            let label = listing.added[position]
            position += 1
            if let box = node.objects[label], box.listing != listing.id { try write(label, box, of: node, into: writer, listing) }
            await slice.breathe()
        }
        try writer.end()
        call.reply(reply, expected: "a{oa{sa{sv}}}", bytes: writer.bytes)
        await correct(listing, node, for: call.sender)
    }

    private func write(_ label: String, _ box: Box, of node: Node, into writer: MessageWriter, _ listing: Listing) throws(BusError) {
        try writer.beginEntry("oa{sa{sv}}")
        try node.path(of: label).append(writer)
        try appendInterfaces(box, to: writer)
        try writer.end()
        box.listing = listing.id
    }

    /// Tells the caller alone what has happened to objects after they were written into its reply.
    private func correct(_ listing: Listing, _ node: Node, for caller: String) async {
        guard !caller.isEmpty else { return }
        var slice = Slice()
        for (label, interfaces) in listing.gone {
            signalRemoved(node, label, interfaces, to: caller)
            if let box = node.objects[label] { signalAdded(node, label, box, to: caller) }
            await slice.breathe()
        }
        for (label, interfaces) in listing.changed {
            guard let box = node.objects[label] else { continue }
            for (interface, properties) in interfaces {
                signalChanged(node.path(of: label), box, box.interfaces[interface], properties.sorted(), to: caller)
            }
            await slice.breathe()
        }
    }
}
