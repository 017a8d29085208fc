// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern
import EventLoop

extension Interfaces {
    static let volume = Interface<VolumeObject>(
        "org.cistern1.Volume", "Storage that a guest or a file system can use.", onRead: { $0.pool.volumeWasRead($0.volume.name) }
    ) {
        Property("Name", .constant, "Unique in the pool.") { $0.volume.name }
        Property("Pool", .constant, "The pool that the volume is in.") { $0.poolPath }
        Property("Type", .constant, "file, block, dir or network.") { $0.volume.kind.rawValue }
        Property("Key", .changes, "Opaque, global and durable; empty while allocating, then set once.") { $0.volume.key }
        Property("Path", .changes, "Where the data is reached; empty while allocating.") { $0.volume.path }
        Property("Format", .changes, "raw, qcow2, ...; empty if unknown.") { $0.volume.format }
        Property("FormatSource", .changes, "declared, or probed from the data.") { $0.volume.formatSource.rawValue }
        Property("State", .changes, "allocating, ready or error; more may come.") { $0.volume.health.state.rawValue }
        Property("StateReason", .changes, "What is wrong in state error.") { $0.volume.health.reason }
        Property("Capacity", .changes, "Bytes that a user of the volume sees; 2^64-1 if unknown.") { $0.volume.capacity }
        Property("Allocation", .changes, "Bytes that it occupies; 2^64-1 if unknown.") { $0.volume.allocation }
        Property("Physical", .changes, "Bytes from its first to its last on the medium; 2^64-1 if unknown.") { $0.volume.physical }
        Property("BackingPath", .changes, "What the volume is an overlay of; empty if of nothing.") { $0.volume.backingPath }
        Property("BackingVolume", .changes, "The same as a volume; / if it is none of ours.") { Paths.volume($0.volume.chain?.backing) }
        Property("Dependents", .changes, "Volumes that are overlays of this one.") {
            ($0.volume.chain?.dependents ?? []).map { Paths.volume($0) }
        }
        Property("Encryption", .changes, "luks1, luks2 or aes; empty for none.") { $0.volume.encryption }
        Property("Mode", .changes, "Permission bits.") { $0.volume.mode }
        Property("Owner", .changes, "User id.") { $0.volume.owner }
        Property("Group", .changes, "Group id.") { $0.volume.group }
        Property("SecurityLabel", .changes, "Label of a security module; empty for none.") { $0.volume.securityLabel }
        Property("ModifyTime", .changes, "Microseconds since the epoch; 0 if unknown.") { $0.volume.modifyTime }
        Property("BirthTime", .changes, "Microseconds since the epoch; 0 if unknown.") { $0.volume.birthTime }
        Property("Metadata", .changes, "What clients keep with the volume.") { $0.volume.metadata }
        Property("Details", .changes, "What only volumes of this format or pool type have.") { $0.volume.details.variants }

        Method(
            "Delete", "Removes the volume and its data; refused while somebody holds it.", gives: "job", options: keyed(jobOptions),
            allow: .needs(.volumeDelete), call: VolumeObject.delete)
        Method(
            "Resize", "Makes the volume so many bytes large.", takes: "capacity", gives: "job",
            options: keyed(jobOptions(["allow-shrink": "b", "allocate": "b"])), allow: .needs(.volumeModify), call: VolumeObject.resize)
        Method(
            "Wipe", "Makes the old data unreadable: zero, clear, or one of libvirt's algorithms.", takes: "algorithm", gives: "job",
            options: keyed(jobOptions), allow: .needs(.volumeWipe), call: VolumeObject.wipe)
        Method(
            "Rebase", "Puts an overlay on another backing volume; / takes all data into the volume itself.", takes: "backing", gives: "job",
            options: keyed(jobOptions), allow: .needs(.volumeModify), call: VolumeObject.rebase)
        Method(
            "Upload", "Writes what the descriptor gives; length 0 is to the end.", takes: "source", "offset", "length", gives: "job",
            options: keyed(jobOptions), allow: .needs(.volumeWriteData), call: VolumeObject.upload)
        Method(
            "Download", "Writes the volume's data to the descriptor; length 0 is to the end.", takes: "target", "offset", "length",
            gives: "job", options: keyed(jobOptions), allow: .needs(.volumeReadData), call: VolumeObject.download)
        Method(
            "Rename", "Gives the volume another name; its key stays.", takes: "name", gives: "volume", options: keyed([:]),
            allow: .needs(.volumeModify), call: VolumeObject.rename)
        Method(
            "SetPermissions", "Changes mode, owner and group: those keys that are given.", takes: "permissions", options: keyed([:]),
            allow: .needs(.volumePermissions), call: VolumeObject.setPermissions)
        Method(
            "SetMetadata", "Replaces what clients keep with the volume.", takes: "metadata", options: keyed([:]),
            allow: .needs(.volumeModify),
            call: VolumeObject.setMetadata)
        Method(
            "Open", "A descriptor of the data; mode r, w or rw needs the rights to read, to write, or both.", takes: "mode", gives: "data",
            options: keyed([:]), allow: .decidedByObject, call: VolumeObject.open)
        Method(
            "GetHolders", "Who holds the volume: kind, pid, command, path, object.", gives: "holders", options: keyed([:]),
            allow: .everyone, call: VolumeObject.getHolders)
        Method(
            "GetXML", "The volume in libvirt's XML; compatible leaves out what only Cistern knows.", gives: "xml",
            options: keyed(["compatible": "b"]), allow: .everyone, call: VolumeObject.getXML)
    }

    /// Every method of a volume can be bound to the very object that the caller looked at.
    private static func keyed(_ options: [String: String]) -> [String: String] { options.merging(["key": "s"]) { old, _ in old } }
}
