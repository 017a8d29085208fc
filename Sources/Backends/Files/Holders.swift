// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Glibc

/// Somebody who has a file open.
struct Holder: Sendable, Hashable, CustomStringConvertible {
    /// 0 for the kernel.
    let pid: Int32
    let command: String
    let writes: Bool
    /// Of ours. One that is yet to become another program has all that we had open when it was made.
    let isChild: Bool

    var description: String { pid == 0 ? command : "process \(pid) (\(command))" }
}

/// Finds who has files open. Slow (it looks at every descriptor of every process), so only asked when the answer is wanted.
enum Holders {
    /// Everybody but this process who has the file open. Blocks on nothing but /proc and /sys.
    static func of(_ file: FileStatus.Identity, path: String) -> [Holder] {
        var holders = loopDevices(path)
        guard let processes = try? Directory.open("/proc") else { return holders }
        let own = getpid()
        for entry in (try? processes.entries()) ?? [] {
            guard let pid = Int32(entry.name), pid != own else { continue }
            guard let writes = holds(pid, file) else { continue }
            holders.append(Holder(pid: pid, command: command(of: pid), writes: writes, isChild: parent(of: pid) == own))
        }
        return holders
    }

    private static func parent(of pid: Int32) -> Int32? {
        KernelText.status(of: pid, 4).flatMap { Int32($0) }
    }

    /// nil if the process does not have the file open; otherwise whether it may write to it.
    private static func holds(_ pid: Int32, _ file: FileStatus.Identity) -> Bool? {
        guard let descriptors = try? Directory.open("/proc/\(pid)/fd") else { return nil }
        var found = false
        for entry in (try? descriptors.entries()) ?? [] {
            guard descriptors.isOpen(file, as: entry.name) else { continue }
            found = true
            if isWritable(pid, entry.name) { return true }
        }
        return found ? false : nil
    }

    private static func isWritable(_ pid: Int32, _ descriptor: String) -> Bool {
        let lines = (KernelText.read("/proc/\(pid)/fdinfo/\(descriptor)") ?? "").split(separator: "\n")
        guard let line = lines.first(where: { $0.hasPrefix("flags:") }) else { return false }
        let digits = line.dropFirst("flags:".count).drop { $0 == " " || $0 == "\t" }
        return Int32(digits, radix: 8).map { $0 & O_ACCMODE != O_RDONLY } ?? false
    }

    private static func command(of pid: Int32) -> String {
        let name = KernelText.read("/proc/\(pid)/comm") ?? ""
        return name.hasSuffix("\n") ? String(name.dropLast()) : name
    }

    private static func loopDevices(_ path: String) -> [Holder] {
        guard let devices = try? Directory.open("/sys/block") else { return [] }
        let names = ((try? devices.entries()) ?? []).map(\.name).filter { $0.hasPrefix("loop") }
        return names.filter { KernelText.read("/sys/block/\($0)/loop/backing_file") == path + "\n" }.map {
            Holder(pid: 0, command: "loop device /dev/\($0)", writes: true, isChild: false)
        }
    }
}

extension Directory {
    /// Whether the magic link `name` in a process's fd directory is this file. Asks no server: it may be on a hung file system.
    fileprivate func isOpen(_ file: FileStatus.Identity, as name: String) -> Bool {
        (try? FileStatus(at: raw, name, linux_AT_STATX_DONT_SYNC))?.identity == file
    }
}
