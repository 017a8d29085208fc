// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern
import EventLoop

extension Interfaces {
    static let pool = Interface<PoolObject>("org.cistern1.Pool", "A place that volumes come from.", onRead: { $0.pool.spaceWasRead() }) {
        Property("Name", .constant, "Unique on the host.") { $0.snapshot.definition.name }
        Property("UUID", .constant, "Made when the pool was defined.") { $0.snapshot.definition.uuid }
        Property("Type", .constant, "One of GetPoolTypes.") { $0.snapshot.definition.type }
        Property("State", .changes, "inactive, starting, active, degraded, waiting, unavailable or stopping; more may come.") {
            $0.snapshot.state.rawValue
        }
        Property("StateReason", .changes, "Why the state is not what was asked for; empty when it is.") { $0.snapshot.stateReason }
        Property("StateSince", .changes, "Microseconds since the epoch.") { $0.snapshot.stateSince }
        Property("Warnings", .changes, "space-low, space-critical, metadata-low, overcommitted; more may come.") { $0.snapshot.warnings }
        Property("Autostart", .changes, "Whether the pool starts with the machine.") { $0.snapshot.autostart }
        Property("Persistent", .changes, "Whether the definition is on disk.") { $0.snapshot.persistent }
        Property("Capacity", .changes, "Bytes in all; 2^64-1 if unknown.") { $0.snapshot.space.capacity }
        Property("Allocation", .changes, "Bytes in use; 2^64-1 if unknown.") { $0.snapshot.space.allocation }
        Property("Available", .changes, "Bytes that can be written; 2^64-1 if unknown.") { $0.snapshot.space.available }
        Property("Provisioned", .changes, "Sum of the volumes' capacities in bytes.") { $0.snapshot.provisioned }
        Property("VolumeCount", .changes, "How many volumes there are.") { $0.snapshot.volumeCount }
        Property("Settings", .changes, "What DefinePool needs to define the same pool; never a secret.") { $0.settings }
        Property("TargetPath", .changes, "Directory that the volumes are reached through; empty if there is none.") {
            $0.snapshot.targetPath
        }
        Property("Capabilities", .changes, "Operation to \"\" if it is possible, else why not.") { $0.capabilities }
        Property("Watch", .changes, "How the pool learns of changes: inotify, udev, poll or none.") { $0.snapshot.watch.rawValue }
        Property("LastScan", .silent, "Microseconds since the epoch; 0 before the first scan.") { $0.pool.snapshot.lastScan }
        Property("Skipped", .changes, "Entries that cannot be volumes, with reasons; the first hundred.") { $0.skipped }
        Property("SkippedCount", .changes, "How many entries cannot be volumes.") { $0.snapshot.skippedCount }
        Property("Details", .changes, "What only pools of this type have.") { $0.snapshot.details.variants }

        Method(
            "Build", "Makes the pool's storage; refuses what holds data unless overwrite.", gives: "job",
            options: jobOptions(["overwrite": "b"]), allow: .needs(.poolBuild), call: PoolObject.build)
        Method(
            "Start", "Makes the pool's storage reachable and lists its volumes.", gives: "job", options: jobOptions,
            allow: .needs(.poolOperate), call: PoolObject.start)
        Method(
            "Stop", "Makes it unreachable; data stays. With lazy, users of a mount may go on.", gives: "job",
            options: jobOptions(["lazy": "b"]), allow: .needs(.poolOperate), call: PoolObject.stop)
        Method(
            "Refresh", "Looks at everything again.", gives: "job", options: jobOptions, allow: .needs(.poolOperate),
            call: PoolObject.refresh)
        Method(
            "Delete", "Removes the pool's storage; confirm is the pool's UUID. Undefine only forgets.", gives: "job",
            options: jobOptions(["confirm": "s"]), allow: .needs(.poolDelete), call: PoolObject.delete)
        Method("Undefine", "Forgets an inactive pool; data stays.", options: [:], allow: .needs(.poolDefine), call: PoolObject.undefine)
        Method(
            "SetAutostart", "Whether the pool starts with the machine.", takes: "autostart", options: [:], allow: .needs(.poolDefine),
            call: PoolObject.setAutostart)
        Method(
            "GetXML", "The pool in libvirt's XML; compatible leaves out what only Cistern knows.", gives: "xml",
            options: ["compatible": "b"], allow: .everyone, call: PoolObject.getXML)
        Method(
            "GetVolume", "The volume of that name.", takes: "name", gives: "volume", options: [:], allow: .everyone,
            call: PoolObject.getVolume)
        Method(
            "CreateVolume", "Makes a volume of so many bytes; allocation is sparse, metadata, falloc or full.", takes: "name", "capacity",
            gives: "volume", "job",
            options: jobOptions([
                "format": "s", "allocation": "s", "mode": "u", "owner": "u", "group": "u", "security-label": "s", "backing": "o",
                "backing-format": "s", "passphrase": "h", "metadata": "a{ss}", "compat": "s", "cluster-size": "t", "lazy-refcounts": "b",
                "extended-l2": "b", "subformat": "s",
            ]), allow: .needs(.volumeCreate), call: PoolObject.createVolume)
        Method(
            "CreateVolumeXML", "Makes a volume as libvirt's volume XML says.", takes: "xml", gives: "volume", "job",
            options: jobOptions(["source": "o", "passphrase": "h"]), allow: .needs(.volumeCreate), call: PoolObject.createVolumeXML)
        Method(
            "CloneVolume", "Makes a copy of a volume of any pool; mode is auto, reflink, snapshot, overlay or copy.", takes: "source",
            "name",
            gives: "volume", "job", options: jobOptions(["mode": "s", "format": "s"]), allow: .needs(.volumeCreate),
            call: PoolObject.cloneVolume)
    }
}
