// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import TestSupport
import Testing

/// Image files as clients see them.
@Suite struct ImageTests {
    @Test func `the properties of every image agree with qemu-img`() async throws {
        try await Harness.run { harness in
            let directory = harness.root + "/p"
            mkdir(directory, 0o755)
            let matrix = try await ImageMatrix.make(in: directory)
            #expect(matrix.images.count >= 60)
            _ = try await harness.startedPool("p", directory: directory)
            let volumes = try await harness.volumes("p")
            for image in matrix.images {
                let volume = try #require(volumes[image.recipe.name], "\(image.recipe) is no volume")
                expectAgreement(volume, image)
            }
        }
    }

    private func expectAgreement(_ volume: [String: Variant], _ image: ImageMatrix.Image) {
        let answer = image.answer
        let details = volume["Details"]?.dictionary ?? [:]
        let length = UInt64(fileStatus(image.path)?.st_size ?? 0)
        #expect(volume["Format"] == .string(answer.format), "\(image.recipe)")
        #expect(volume["FormatSource"] == .string("probed"))
        #expect(volume["Capacity"] == .uint64(answer.format == "raw" ? length : answer.virtualSize), "\(image.recipe)")
        #expect(volume["Physical"] == .uint64(length), "\(image.recipe)")
        #expect((volume["Encryption"] != .string("")) == (answer.isEncrypted ?? false), "\(image.recipe)")
        #expect(details["backing-format"]?.text == answer.backingFormat, "\(image.recipe)")
        #expect(details["compat"]?.text == answer.specific?.data.compat, "\(image.recipe)")
        #expect(details["extended-l2"]?.bool == answer.specific?.data.extendedL2, "\(image.recipe)")
        #expect(details["lazy-refcounts"]?.bool == answer.specific?.data.lazyRefcounts, "\(image.recipe)")
        if let size = answer.clusterSize, details["extents"] == nil {
            #expect(details["cluster-size"]?.unsigned == size, "\(image.recipe)")
        }
        let backing = volume["BackingPath"]?.text ?? ""
        if let file = answer.backingFile, !file.contains(":") {
            let directory = image.path.dropLast(image.recipe.name.utf8.count)
            #expect(
                backing.hasPrefix("/") && (backing == file || backing.hasPrefix(directory) || file.hasPrefix("../")),
                "\(image.recipe): \(backing)")
        } else {
            #expect(backing == answer.backingFile ?? "", "\(image.recipe)")
        }
    }

    @Test func `a volume declared raw stays raw, whatever a guest writes into it`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let (volume, _) = try await harness.create(pool, "disk", 1 << 20)
            try await harness.qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", "/etc/shadow", "-F", "raw", harness.root + "/evil", "8G")
            let signals = try await harness.client.signals(path: volume)
            #expect(try await harness.tool("dd", "if=" + harness.root + "/evil", "of=" + directory + "/disk", "conv=notrunc").succeeded)
            for await signal in signals where signal.member == "PropertiesChanged" { break }
            for restarted in [false, true] {
                if restarted { try await harness.restart() }
                try await harness.becomes("active", pool)
                _ = try await harness.job(pool, "Refresh", ["wait": .bool(true)])
                let properties = try await harness.properties(volume, Harness.volumeInterface)
                #expect(properties["Format"] == .string("raw") && properties["FormatSource"] == .string("declared"))
                #expect(properties["Capacity"] == .uint64(1 << 20) && properties["BackingPath"] == .string(""))
            }
        }
    }

    @Test func `overlays and their backing volumes know each other, across pools and whatever happens to them`() async throws {
        try await Harness.run { harness in
            let (bases, baseDirectory) = try await harness.startedPool("bases")
            let (tops, _) = try await harness.startedPool("tops")
            let (base, _) = try await harness.create(bases, "base", 1 << 20, ["format": .string("qcow2")])
            let (top, _) = try await harness.create(tops, "top", 1 << 20, ["format": .string("qcow2"), "backing": .path(base)])
            let properties = try await harness.properties(top, Harness.volumeInterface)
            #expect(properties["BackingVolume"] == .path(base))
            #expect(properties["BackingPath"] == .string(baseDirectory + "/base"))
            try await harness.property(base, "Dependents", becomes: .paths([top]))
            for member in ["Delete", "Rename", "Resize"] {
                await expectError("Busy") {
                    let arguments: [Variant] = member == "Rename" ? [.string("x")] : member == "Resize" ? [.uint64(2 << 20)] : []
                    _ = try await harness.client.call(
                        Harness.service, base, Harness.volumeInterface, member, dynamic: arguments + [.dictionary([String: Variant]())])
                }
            }
            // Others do not ask.
            rename(baseDirectory + "/base", baseDirectory + "/elsewhere")
            try await harness.property(top, "State", becomes: .string("error"))
            let reason = try await harness.property(top, Harness.volumeInterface, "StateReason", as: String.self)
            #expect(reason.contains("/base is missing"))
            rename(baseDirectory + "/elsewhere", baseDirectory + "/base")
            try await harness.property(top, "State", becomes: .string("ready"))
            try await harness.property(top, "BackingVolume", becomes: .path(base))
            // A pool that stops says nothing against its files.
            try await harness.stop("bases")
            try await harness.property(top, "BackingVolume", becomes: .path("/"))
            try await harness.property(top, "State", becomes: .string("ready"))
            _ = try await harness.job(bases, "Start", ["wait": .bool(true)])
            try await harness.property(top, "BackingVolume", becomes: .path(base))
            _ = try await harness.job(top, "Delete")
            try await harness.property(base, "Dependents", becomes: .paths([]))
            _ = try await harness.job(base, "Delete")
        }
    }

    @Test func `the extents of a VMDK belong to it, and a descriptor that names other files is not believed`() async throws {
        try await Harness.run { harness in
            let directory = harness.root + "/p"
            mkdir(directory, 0o755)
            try await harness.qemuImg("create", "-q", "-f", "vmdk", "-o", "subformat=monolithicFlat", directory + "/disk.vmdk", "1M")
            writeFile(directory + "/precious.vmdk", [UInt8](repeating: 1, count: 4096))
            let evil = readFile(directory + "/disk.vmdk").replacing("disk-flat.vmdk", with: "precious.vmdk")
            writeFile(directory + "/evil.vmdk", Array(evil.utf8))
            let (pool, _) = try await harness.startedPool("p", directory: directory)
            #expect(try await harness.volumes("p").keys.sorted() == ["disk.vmdk", "evil.vmdk", "precious.vmdk"])
            let skipped = try await harness.properties(pool, Harness.poolInterface)["Skipped"]
            #expect("\(String(describing: skipped))".contains("an extent of disk.vmdk"))
            let disk: ObjectPath = try await harness.volume("p", "disk.vmdk")
            let properties = try await harness.properties(disk, Harness.volumeInterface)
            #expect(properties["Capacity"] == .uint64(1 << 20) && properties["Format"] == .string("vmdk"))
            await expectError("NotSupported") {
                _ = try await harness.call(
                    disk, Harness.volumeInterface, "Rename", "other.vmdk", [String: Variant](), returning: ObjectPath.self)
            }
            _ = try await harness.job(disk, "Delete")
            _ = try await harness.job(try await harness.volume("p", "evil.vmdk"), "Delete")
            #expect(entries(directory) == ["precious.vmdk"])
        }
    }
}

extension Harness {
    /// Properties of all volumes of a pool, by name.
    func volumes(_ pool: String) async throws -> [String: [String: Variant]] {
        var volumes: [String: [String: Variant]] = [:]
        for (_, interfaces) in try await managed(ObjectPath.encode("/org/cistern1/volumes", pool)) {
            if let properties = interfaces[Self.volumeInterface], let name = properties["Name"]?.text { volumes[name] = properties }
        }
        return volumes
    }

    func volume(_ pool: String, _ name: String) async throws -> ObjectPath {
        try await call(
            ObjectPath.encode("/org/cistern1/pools", pool), Self.poolInterface, "GetVolume", name, [String: Variant](),
            returning: ObjectPath.self)
    }

    func qemuImg(_ arguments: String...) async throws {
        let result = try await Child.run("qemu-img", arguments, deadline: .seconds(60))
        if !result.succeeded { throw BusError.failed(result.complaint) }
    }

    /// Returns when the volume's property has that value, which a signal tells unless it has it already.
    func property(_ volume: ObjectPath, _ name: String, becomes value: Variant) async throws {
        let signals = try await client.signals(path: volume)
        if try await properties(volume, Self.volumeInterface)[name] == value { return }
        for await signal in signals where signal.body.count > 1 && signal.body[1].dictionary?[name] == value { return }
    }
}
