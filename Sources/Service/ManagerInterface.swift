// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern
import EventLoop

/// The D-Bus interfaces, each declared once; `dbus/*.xml` is what they come to.
@LoopActor enum Interfaces {
    static let manager = Interface<ManagerObject>("org.cistern1.Manager", "The service: its pools, their volumes, and what is true of all.")
    {
        Property("Version", .constant, "The service's version.") { $0.face.version }

        Method(
            "DefinePool", "Defines a pool of a type (GetPoolTypes) with settings named after the XML.",
            takes: "name", "type", "settings", gives: "pool", options: defineOptions, allow: .needs(.poolDefine),
            call: ManagerObject.definePool)
        Method(
            "DefinePoolXML", "Defines a pool by libvirt's pool XML.", takes: "xml", gives: "pool", options: defineOptions,
            allow: .needs(.poolDefine), call: ManagerObject.definePoolXML)
        Method(
            "FindPoolSources", "Looks for what pools of a type could be made of; replies within the timeout (microseconds, 20 s).",
            takes: "type", "where", gives: "sources", options: ["timeout": "u"], allow: .needs(.poolDefine),
            call: ManagerObject.findPoolSources)
        Method(
            "GetPool", "The pool of that name.", takes: "name", gives: "pool", options: [:], allow: .everyone, call: ManagerObject.getPool)
        Method(
            "GetPoolByUUID", "The pool of that UUID.", takes: "uuid", gives: "pool", options: [:], allow: .everyone,
            call: ManagerObject.getPoolByUUID)
        Method(
            "GetPoolByTargetPath", "The pool whose volumes are reached through that directory.", takes: "path", gives: "pool", options: [:],
            allow: .everyone, call: ManagerObject.getPoolByTargetPath)
        Method(
            "GetVolumeByPath", "The volume whose data is reached at that path.", takes: "path", gives: "volume", options: [:],
            allow: .everyone, call: ManagerObject.getVolumeByPath)
        Method(
            "GetVolumeByKey", "The volume with that key.", takes: "key", gives: "volume", options: [:], allow: .everyone,
            call: ManagerObject.getVolumeByKey)
        Method(
            "GetPoolTypes", "Per type: available, reason, capabilities, pool-formats, volume-formats, settings.", gives: "types",
            options: [:],
            allow: .everyone, call: ManagerObject.getPoolTypes)
        StreamingMethod(
            "ListVolumes",
            "Volumes whose properties all equal the filter's, in pages; next is empty at the end, else the next call's option after.",
            takes: "filter", gives: ("volumes", "a(oa{sv})"), ("next", "s"), options: ["fields": "as", "limit": "u", "after": "s"],
            allow: .everyone, call: ManagerObject.listVolumes)
        Method(
            "CheckAuthorization", "For each action: yes, no, or challenge.", takes: "actions", "object", gives: "answers", options: [:],
            allow: .everyone, call: ManagerObject.checkAuthorization)
        Method(
            "SetSecret", "Keeps a secret, read from the descriptor to its end, for pools that name the usage.", takes: "usage", "value",
            options: [:], allow: .needs(.secretSet), call: ManagerObject.setSecret)
        Method(
            "RemoveSecret", "Forgets a secret.", takes: "usage", options: [:], allow: .needs(.secretSet), call: ManagerObject.removeSecret)
        Method(
            "ListSecrets", "Usages for which a secret is kept.", gives: "usages", options: [:], allow: .everyone,
            call: ManagerObject.listSecrets)
        Method(
            "GetStatistics", "Numbers per pool; under the empty name those of the service.", gives: "statistics", options: [:],
            allow: .everyone, call: ManagerObject.getStatistics)

        Signal(
            "JobFinished", "A job has ended: completed, failed or cancelled; error and message are empty if it completed.",
            arguments: ("job", "o"), ("state", "s"), ("error", "s"), ("message", "s"))
    }

    private static let defineOptions = ["autostart": "b", "transient": "b", "replace": "b", "validate-only": "b"]
    /// What every method takes that may make a job.
    static let jobOptions = ["wait": "b"]

    static func jobOptions(_ more: [String: String]) -> [String: String] { jobOptions.merging(more) { old, _ in old } }
}
