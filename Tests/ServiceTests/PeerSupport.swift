// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

/// Waits until something is so; what it awaits has no event of its own.
@LoopActor func eventually(
    _ what: String, within limit: Duration = .seconds(5), _ condition: @LoopActor () async throws -> Bool,
    _ location: SourceLocation = #_sourceLocation
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        if ContinuousClock.now > deadline { return #expect(Bool(false), "\(what): not within \(limit)", sourceLocation: location) }
        try await Task.sleep(for: .milliseconds(20))
    }
}

extension Harness {
    func createXML(_ pool: ObjectPath, _ xml: String, _ options: [String: Variant] = [:]) async throws -> (ObjectPath, ObjectPath) {
        let (volume, job) = try await call(
            pool, Self.poolInterface, "CreateVolumeXML", xml, options, returning: ObjectPath.self, ObjectPath.self)
        return (volume, job)
    }

    func rename(_ volume: ObjectPath, to name: String) async throws {
        _ = try await call(volume, Self.volumeInterface, "Rename", name, [String: Variant](), returning: ObjectPath.self)
    }

    func resize(_ volume: ObjectPath, to capacity: UInt64, _ options: [String: Variant] = ["wait": .bool(true)]) async throws {
        _ = try await call(volume, Self.volumeInterface, "Resize", capacity, options, returning: ObjectPath.self)
    }

    /// Entry to reason.
    func skippedAfterRefresh(_ pool: ObjectPath) async throws -> [String: String] {
        _ = try await job(pool, "Refresh", ["wait": .bool(true)])
        let properties = try await properties(pool, Self.poolInterface)
        let skipped = Self.skipped(properties)
        #expect(properties["SkippedCount"] == .uint32(UInt32(skipped.count)))
        return skipped
    }

    static func skipped(_ pool: [String: Variant]) -> [String: String] {
        var skipped: [String: String] = [:]
        for entry in pool["Skipped"]?.elements ?? [] {
            if let pair = entry.elements, let name = pair.first?.text { skipped[name] = pair.last?.text ?? "" }
        }
        return skipped
    }

    func volumeNames(_ pool: ObjectPath) async throws -> Set<String> {
        guard let path = ObjectPath("/org/cistern1/volumes/" + pool.lastLabel) else { return [] }
        return Set(try await managed(path).values.compactMap { $0[Self.volumeInterface]?["Name"]?.text })
    }

    /// All properties of the volume of that name, with its path as "".
    func described(_ pool: ObjectPath, _ name: String) async throws -> [String: Variant] {
        let path = try await call(pool, Self.poolInterface, "GetVolume", name, [String: Variant](), returning: ObjectPath.self)
        return try await properties(path, Self.volumeInterface).merging(["": .path(path)]) { old, _ in old }
    }

    /// One of the calls that would do harm through a link.
    func attack(_ volume: ObjectPath, kind: Int) async throws {
        switch kind {
        case 0: try await resize(volume, to: 100, ["allow-shrink": .bool(true), "wait": .bool(true)])
        case 1: _ = try await job(volume, "Delete", ["wait": .bool(true)])
        case 2: _ = try await call(volume, Self.volumeInterface, "Open", "rw", [String: Variant](), returning: UnixDescriptor.self)
        default: try await call(volume, Self.volumeInterface, "SetPermissions", ["mode": Variant.uint32(0o777)], [String: Variant]())
        }
    }

    /// There is no volume of that name, nor an object that anything could be done with.
    func expectNoVolume(_ pool: ObjectPath, _ name: String) async throws {
        await expectError("NotFound") {
            _ = try await call(pool, Self.poolInterface, "GetVolume", name, [String: Variant](), returning: ObjectPath.self)
        }
        let volume = ObjectPath.encode(.encode("/org/cistern1/volumes", pool.lastLabel), name)
        let gone = "org.freedesktop.DBus.Error.UnknownObject"
        for kind in 0..<4 { await expectError(gone) { try await attack(volume, kind: kind) } }
        await expectError(gone) {
            _ = try await call(volume, Self.volumeInterface, "Wipe", "zero", [String: Variant](), returning: ObjectPath.self)
        }
    }

    /// A second pool cannot be started there, and is told who has it.
    func expectTaken(_ name: String, _ directory: String) async {
        do {
            let pool = try await define(name, directory)
            _ = try await job(pool, "Start", ["wait": .bool(true)])
            Issue.record("\(directory) has two pools")
        } catch let error as BusError {
            #expect(error.name == "org.cistern1.Error.Exists" && error.message.contains("first"), "\(directory): \(error)")
        } catch {
            Issue.record("\(error)")
        }
    }

    /// Cloning is refused, or ends at once.
    func expectNoClone(_ pool: ObjectPath, of volume: [String: Variant], mayMake: Bool = false) async {
        let began = ContinuousClock.now
        do {
            _ = try await call(
                pool, Self.poolInterface, "CloneVolume", volume[""]?.path ?? "/", "copy", ["wait": Variant.bool(true)],
                returning: ObjectPath.self, ObjectPath.self)
            #expect(mayMake, "a loop was copied")
        } catch {
            #expect(error is BusError)
        }
        #expect(ContinuousClock.now - began < .seconds(5))
    }
}

// MARK: - Files

func makeDevice(_ major: UInt64, _ minor: UInt64) -> dev_t {
    let low: UInt64 = (major & 0xFFF) << 8 | (minor & 0xFF)
    let high: UInt64 = (minor & ~0xFF) << 12 | (major & ~0xFFF) << 32
    return dev_t(low | high)
}

/// A socket of that name.
func makeSocket(_ path: String) throws {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { room in room.copyBytes(from: path.utf8.prefix(room.count - 1)) }
    let bound = withUnsafeBytes(of: &address) { bytes in
        bytes.assumingMemoryBound(to: sockaddr.self).baseAddress.map { bind(descriptor, $0, socklen_t(bytes.count)) } ?? -1
    }
    try #require(bound == 0, "no socket at \(path)")
}

/// An empty qcow2 image, version 3, after docs/interop/qcow2.txt.
func qcow2(_ size: UInt64, backing: String = "", format: String? = nil) -> [UInt8] {
    var extensions: [UInt8] = []
    if let format {
        extensions += big(UInt32(0xE279_2ACA)) + big(UInt32(format.utf8.count)) + Array(format.utf8)
        extensions += [UInt8](repeating: 0, count: (8 - format.utf8.count % 8) % 8)
    }
    extensions += [UInt8](repeating: 0, count: 8)
    let name = Array(backing.utf8)
    var image: [UInt8] = [0x51, 0x46, 0x49, 0xFB] + big(UInt32(3))
    image += big(UInt64(name.isEmpty ? 0 : 104 + extensions.count)) + big(UInt32(name.count))
    image += big(UInt32(16)) + big(size) + big(UInt32(0)) + big(UInt32(1)) + big(UInt64(0x30000))
    image += big(UInt64(0x10000)) + big(UInt32(1)) + big(UInt32(0)) + big(UInt64(0))
    image += big(UInt64(0)) + big(UInt64(0)) + big(UInt64(0)) + big(UInt32(4)) + big(UInt32(104))
    image += extensions + name
    return image + [UInt8](repeating: 0, count: 0x40000 - image.count)
}

func big<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

extension [UInt8] {
    /// The same with other bytes at a place.
    func with(_ offset: Int, _ bytes: [UInt8]) -> [UInt8] {
        var copy = self
        copy.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        return copy
    }
}
