// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Glibc

/// Makes the keys of the files of one file system: durable names that survive renames, restarts and a move to another host.
///
/// A key is `file:FILESYSTEM:HANDLE`. The file system is its UUID, or what statfs calls it; the handle is the kernel's
/// (it holds the inode's generation, and on btrfs the subvolume), or the inode and its birth time where there is none.
struct FileKeys: Sendable, Hashable {
    private let prefix: String
    /// Whether other hosts, or this one after a restart, may know the same files by other keys.
    let isHostBound: Bool
    private let hasHandles: Bool
    /// What the files are on.
    let filesystem: FilesystemKind

    /// Asks the file system that the directory is on.
    init(for directory: Directory) throws(Errno) {
        let space = try directory.space()
        let uuid = Self.uuid(of: directory)
        filesystem = FilesystemKind(space)
        isHostBound = uuid == nil && !filesystem.derivesIdentityFromUUID || filesystem.isInMemory
        prefix = "file:\(uuid ?? "fsid-" + hex(space.identity)):"
        var handle = linux_handle()
        hasHandles = filesystem.keepsHandles && linux_get_handle(directory.raw, "", linux_AT_EMPTY_PATH, &handle) == 0
    }

    private static func uuid(of directory: Directory) -> String? {
        var bytes = [UInt8](repeating: 0, count: 16)
        guard linux_filesystem_uuid(directory.raw, &bytes) == 0, bytes.contains(where: { $0 != 0 }) else { return nil }
        let digits = hex(bytes)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { text.append("-") }
            text.append(digit)
        }
        return text
    }

    /// The key of an entry, which `status` is of.
    func key(of name: String, in directory: Directory, _ status: FileStatus) throws(Errno) -> String {
        try key(directory.raw, name, 0, status)
    }

    /// The key of an open file.
    func key(of file: Descriptor, _ status: FileStatus) throws(Errno) -> String {
        try key(file.raw, "", linux_AT_EMPTY_PATH, status)
    }

    private func key(_ directory: Int32, _ name: UnsafePointer<CChar>, _ flags: Int32, _ status: FileStatus) throws(Errno) -> String {
        guard hasHandles else { return prefix + hex(status.identity.inode) + "-" + hex(UInt64(bitPattern: status.born)) }
        var handle = linux_handle()
        _ = try checked(linux_get_handle(directory, name, flags, &handle))
        let length = min(Int(handle.length), 128)
        let type = String(UInt32(bitPattern: handle.type), radix: 16)
        return withUnsafeBytes(of: &handle.bytes) { joined(prefix, type, $0.prefix(length)) }
    }

    /// `PREFIX` `TYPE` - `BYTES`, in one piece of memory: a scan makes one for every file.
    private func joined(_ prefix: String, _ type: String, _ bytes: some Collection<UInt8>) -> String {
        String(unsafeUninitializedCapacity: prefix.utf8.count + type.utf8.count + 1 + bytes.count * 2) { text in
            var end = 0
            for part in [prefix.utf8, type.utf8, "-".utf8] {
                for byte in part {
                    text[end] = byte
                    end += 1
                }
            }
            return end + write(bytes, into: text, at: end)
        }
    }
}

private let hexDigits: [UInt8] = Array("0123456789abcdef".utf8)

/// Two lower-case digits for each byte.
func hex(_ bytes: some Collection<UInt8>) -> String {
    String(unsafeUninitializedCapacity: bytes.count * 2) { write(bytes, into: $0, at: 0) }
}

private func write(_ bytes: some Collection<UInt8>, into text: UnsafeMutableBufferPointer<UInt8>, at start: Int) -> Int {
    var end = start
    for byte in bytes {
        text[end] = hexDigits[Int(byte >> 4)]
        text[end + 1] = hexDigits[Int(byte & 15)]
        end += 2
    }
    return end - start
}

/// The number's lower-case digits, without leading zeros.
func hex(_ number: UInt64) -> String { String(number, radix: 16) }
