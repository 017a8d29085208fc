// SPDX-License-Identifier: LGPL-2.1-or-later
import Glibc
import Images

/// Reads an image file as the daemon does: its first bytes, then what the parser asks for.
enum ImageFile {
    static func examine(_ path: String, as format: String? = nil) throws(ReadError) -> ImageHeader {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ReadError(description: "cannot open \(path)") }
        defer { close(descriptor) }
        let length = UInt64(lseek(descriptor, 0, SEEK_END))
        let name = path.split(separator: "/").last.map(String.init) ?? ""
        let header = try read(descriptor, 0, ImageProbe.headerSize)
        guard let format else {
            return try ImageProbe.examine(header.span, length: length, name: name) { (offset, count) throws(ReadError) in
                try read(descriptor, offset, count)
            }
        }
        return try ImageProbe.examine(header.span, length: length, name: name, as: format) { (offset, count) throws(ReadError) in
            try read(descriptor, offset, count)
        }
    }

    static func mayBeImage(_ path: String) throws(ReadError) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ReadError(description: "cannot open \(path)") }
        defer { close(descriptor) }
        let header = try read(descriptor, 0, ImageProbe.headerSize)
        return ImageProbe.mayBeImage(header.span, name: path)
    }

    private static func read(_ descriptor: Int32, _ offset: UInt64, _ count: Int) throws(ReadError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let result = pread(descriptor, &bytes, count, Int(clamping: offset))
        guard result >= 0 else { throw ReadError(description: "cannot read at \(offset)") }
        return Array(bytes.prefix(result))
    }
}

struct ReadError: Error, CustomStringConvertible { let description: String }
