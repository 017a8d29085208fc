// SPDX-License-Identifier: LGPL-2.1-or-later

/// What can be done to a pool or a volume. One name everywhere: `Job.Operation`, the keys of `Capabilities`, polkit details.
public enum Operation: String, CaseIterable, Sendable {
    case poolBuild = "Pool.Build"
    case poolStart = "Pool.Start"
    case poolStop = "Pool.Stop"
    case poolRefresh = "Pool.Refresh"
    case poolDelete = "Pool.Delete"
    case poolFindSources = "Manager.FindPoolSources"
    case volumeCreate = "Pool.CreateVolume"
    case volumeClone = "Pool.CloneVolume"
    case volumeDelete = "Volume.Delete"
    case volumeResize = "Volume.Resize"
    case volumeRename = "Volume.Rename"
    case volumeWipe = "Volume.Wipe"
    case volumeRebase = "Volume.Rebase"
    case volumeUpload = "Volume.Upload"
    case volumeDownload = "Volume.Download"
    case volumeOpen = "Volume.Open"
    case volumeSetPermissions = "Volume.SetPermissions"
    case volumeSetMetadata = "Volume.SetMetadata"
}
