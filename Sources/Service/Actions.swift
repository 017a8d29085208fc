// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus

/// What a caller must be allowed to do; the ids are those of polkit.
enum Action: String, CaseIterable {
    case poolDefine = "pool.define"
    case poolOperate = "pool.operate"
    case poolBuild = "pool.build"
    case poolDelete = "pool.delete"
    case volumeCreate = "volume.create"
    case volumeDelete = "volume.delete"
    case volumeModify = "volume.modify"
    case volumePermissions = "volume.permissions"
    case volumeWipe = "volume.wipe"
    case volumeReadData = "volume.read-data"
    case volumeWriteData = "volume.write-data"
    case jobCancelOthers = "job.cancel-others"
    case secretSet = "secret.set"
    case logControl = "log.control"

    var id: String { "org.cistern1." + rawValue }
}

extension Access {
    static func needs(_ action: Action) -> Access { .action(action.id) }
}
