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

    private static let prefix = "org.cistern1."

    var id: String { Self.prefix + rawValue }

    init?(id: String) {
        guard id.hasPrefix(Self.prefix) else { return nil }
        self.init(rawValue: String(id.dropFirst(Self.prefix.count)))
    }

    /// What the user is asked to prove their right to, in words that continue "Authentication is required to". `$(...)` stands for a
    /// detail of that name, which polkit puts in.
    func question(_ operation: String) -> String {
        switch (self, operation) {
        case (.poolDefine, "Manager.DefinePool"): "define storage pool $(pool)"
        case (.poolDefine, "Manager.DefinePoolXML"): "define a storage pool"
        case (.poolDefine, "Pool.Undefine"): "forget the definition of storage pool $(pool)"
        case (.poolDefine, "Pool.SetAutostart"): "change whether storage pool $(pool) starts with the machine"
        case (.poolDefine, _): "look for storage that pools could be made of"
        case (.poolOperate, "Pool.Start"): "start storage pool $(pool)"
        case (.poolOperate, "Pool.Stop"): "stop storage pool $(pool)"
        case (.poolOperate, _): "refresh storage pool $(pool)"
        case (.poolBuild, _): "build storage pool $(pool), whose device may lose its data"
        case (.poolDelete, _): "delete the storage of pool $(pool)"
        case (.volumeCreate, "Pool.CreateVolume"): "create volume $(volume) in storage pool $(pool)"
        case (.volumeCreate, _): "create a volume in storage pool $(pool)"
        case (.volumeDelete, _): "delete volume $(volume) ($(size)) in storage pool $(pool)"
        case (.volumeModify, "Volume.Resize"): "resize volume $(volume) ($(size)) in storage pool $(pool)"
        case (.volumeModify, "Volume.Rename"): "rename volume $(volume) in storage pool $(pool)"
        case (.volumeModify, _): "change volume $(volume) in storage pool $(pool)"
        case (.volumePermissions, "Volume.SetPermissions"):
            "change who may use the file of volume $(volume) in storage pool $(pool)"
        case (.volumePermissions, _): "give a volume in storage pool $(pool) to another user"
        case (.volumeWipe, _): "erase volume $(volume) ($(size)) in storage pool $(pool)"
        case (.volumeReadData, _): "read the data of volume $(volume) in storage pool $(pool)"
        case (.volumeWriteData, _): "overwrite the data of volume $(volume) in storage pool $(pool)"
        case (.jobCancelOthers, _): "cancel a storage job that somebody else has started"
        case (.secretSet, "Manager.RemoveSecret"): "forget the storage secret $(secret)"
        case (.secretSet, _): "keep the storage secret $(secret)"
        case (.logControl, _): "change what the storage service logs"
        }
    }
}

extension Access {
    static func needs(_ action: Action) -> Access { .action(action.id) }
}
