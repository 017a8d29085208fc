// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop
import Udev

/// File systems that pools of type `fs` could be made of: those that udev knows, and that nobody uses.
enum FilesystemSources {
    /// - Parameters:
    ///   - place: settings that a source must have to be told of; of `source.devices` it must have one.
    ///   - blocking: where the devices are listed.
    static func find(_ place: [String: Value], on blocking: Blocking) async throws(StorageError) -> [[String: Value]] {
        let formats = Set(PoolModel.all["fs"]?.formats ?? [])
        return try await blocking.run("look for file systems") { () throws(Errno) in
            do throws(UdevError) {
                return try Device.all().sorted { $0.node < $1.node }.compactMap { source($0, formats, place) }.uniqued()
            } catch {
                throw Errno(error.code)
            }
        }
    }

    private static func source(_ device: Device, _ formats: Set<String>, _ place: [String: Value]) -> [String: Value]? {
        let properties = device.properties
        guard properties["ID_FS_USAGE"] == "filesystem", let format = properties["ID_FS_TYPE"], formats.contains(format) else {
            return nil
        }
        // Its own name goes wherever it goes.
        let path = properties["ID_FS_UUID_ENC"].map { "/dev/disk/by-uuid/" + $0 }.flatMap { device.isNamed($0) ? $0 : nil }
        for (key, value) in place {
            switch (key, value) {
            case ("source.format", .string(let wanted)): if wanted != format { return nil }
            case ("source.devices", .strings(let wanted)): if !wanted.contains(where: device.isNamed) { return nil }
            default: return nil
            }
        }
        guard let claim = try? device.claim() else { return nil }
        claim.close()
        return ["source.devices": .strings([path ?? device.node]), "source.format": .string(format)]
    }
}

extension Array where Element: Hashable {
    /// Without what comes again: a file system may be on several devices.
    fileprivate func uniqued() -> Self {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
