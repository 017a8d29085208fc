// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern
import EventLoop

/// What is to be done to what, for rules, for the user who is asked, and for the record.
@LoopActor struct Deed: Sendable {
    /// `Pool.Build`.
    let operation: String
    /// By the names that polkit's rules read: `pool`, `pool-type`, `volume`, `path`, `size` ...
    let details: [String: String]

    /// - Parameter object: what the action is about; most often the one that was called, but not when it is a backing file.
    init(_ call: Call, about object: any Sendable) {
        let interface = call.interface.split(separator: ".").last ?? ""
        operation = "\(interface).\(call.member)"
        var details = ["operation": operation]
        switch object {
        case let object as PoolObject:
            details["pool"] = object.pool.name
            details["pool-type"] = object.snapshot.definition.type
            details["path"] = object.snapshot.targetPath
            if call.member == "CreateVolume" { details["volume"] = call.firstText }
        case let object as VolumeObject:
            details["pool"] = object.pool.name
            details["pool-type"] = object.pool.snapshot.definition.type
            details["volume"] = object.volume.name
            details["path"] = object.volume.path
            details["size"] = Self.words(object.volume.capacity)
        case let object as JobObject: details["job"] = "\(object.job.id)"
        case is ManagerObject:
            switch call.member {
            case "DefinePool": details["pool"] = call.firstText
            case "SetSecret", "RemoveSecret": details["secret"] = call.firstText
            default: break
            }
        default: break
        }
        self.details = details
    }

    /// Whole units, for the user who is asked.
    private static func words(_ bytes: UInt64) -> String {
        if bytes == .max { return "unknown size" }
        var (size, units) = (bytes, ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][...])
        while size >= 1024, units.count > 1 {
            size = (size + 512) / 1024
            units.removeFirst()
        }
        return "\(size) \(units.first ?? "")"
    }
}
