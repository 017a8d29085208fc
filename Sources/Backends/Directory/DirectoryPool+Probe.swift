// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop
import Glibc
import Images

extension DirectoryPool {
    /// The attribute that tells the format of a file that Cistern has made.
    static let formatAttribute = "user.cistern.format"
    /// How much of a file is read to learn what it is: one page.
    static let headerSize = 4096

    /// What a file is as an image.
    struct Image {
        var header: ImageHeader
        /// Whether the format was stated by whoever made the file, and is not to be doubted.
        var isDeclared = false

        /// A file whose bytes are just bytes, because somebody said so.
        static let declaredRaw = Image(header: ImageHeader(format: "raw"), isDeclared: true)
        /// A volume known to be raw, by whatever.
        static func raw(_ volume: Volume) -> Image {
            Image(header: ImageHeader(format: "raw"), isDeclared: volume.formatSource == .declared)
        }

        /// A file that is no image.
        static let probedRaw = Image(header: ImageHeader(format: "raw"))

        /// Whether a file of that name is told by its beginning.
        static func isHeaderFirst(_ name: String) -> Bool {
            let nothing: [UInt8] = []
            return !ImageProbe.mayBeImage(nothing.span, name: name)
        }

        /// A file that cannot be read now.
        static let unknown = Image(header: ImageHeader(format: ""))
    }

    /// On the lane: reads what the file says of itself, at most one page unless its format needs more.
    ///
    /// - Parameter buffer: of ``headerSize`` bytes; overwritten.
    func probe(_ file: File, _ name: String, _ status: FileStatus, _ buffer: inout [UInt8]) throws(Errno) -> Image {
        let declared = try declaredFormat(of: file, status)
        if declared == "raw" { return .declaredRaw }
        let count = try file.read(&buffer, at: 0, length: status.size)
        let header = buffer.span.extracting(..<count)
        func more(_ offset: UInt64, _ count: Int) throws(Errno) -> [UInt8] { try file.read(at: offset, count: count) }
        if let declared {
            return Image(
                header: try ImageProbe.examine(header, length: status.size, name: name, as: declared, more: more), isDeclared: true)
        }
        guard ImageProbe.mayBeImage(header, name: name) else { return .probedRaw }
        return Image(header: try ImageProbe.examine(header, length: status.size, name: name, more: more))
    }

    private func declaredFormat(of file: File, _ status: FileStatus) throws(Errno) -> String? {
        do throws(Errno) { return try file.attribute(Self.formatAttribute) } catch {
            guard error.code == EOPNOTSUPP else { throw error }
            // Where nothing can be kept with a file, what we made is remembered for as long as we run.
            return state.withLock { $0.declared[status.identity] }
        }
    }

    /// On the lane: keeps with the file what format it was made with.
    func declare(_ format: String, of file: File, _ status: FileStatus) throws(Errno) {
        do throws(Errno) { try file.setAttribute(Self.formatAttribute, format) } catch {
            guard error.code == EOPNOTSUPP else { throw error }
            state.withLock { $0.declared[status.identity] = format }
        }
    }

    // MARK: - As a volume

    /// The volume that a file is.
    func volume(_ name: String, _ status: FileStatus, key: String, _ place: Place, _ image: Image) -> Volume {
        var volume = Volume(name: name)
        volume.key = key
        volume.path = path(of: name)
        volume.mode = status.mode & 0o777
        volume.owner = status.owner
        volume.group = status.group
        volume.modifyTime = microseconds(status.modified)
        volume.birthTime = microseconds(status.born)
        describe(&volume, status, image)
        volume.details = details(of: image.header, in: place)
        let extents = Self.ownExtents(of: volume.name, image.header.extents)
        volume.allocation += extents.reduce(0) { $0 + ((try? place.directory.status(of: $1).allocation) ?? 0) }
        return volume
    }

    /// What the file's size and header say.
    private func describe(_ volume: inout Volume, _ status: FileStatus, _ image: Image) {
        let header = image.header
        volume.format = header.format
        volume.formatSource = image.isDeclared ? .declared : .probed
        volume.physical = status.size
        volume.allocation = status.allocation
        volume.capacity = header.problem.isEmpty ? header.capacity ?? status.size : unknownSize
        volume.encryption = header.encryption
        if let backing = header.backing { volume.backingPath = absolute(backing.file) }
        if !header.problem.isEmpty {
            volume.state = .error
            volume.stateReason = header.problem
        }
    }

    /// The path of a backing file as its image writes it, taken as qemu takes it: below the image's directory unless it is absolute.
    /// Nothing is looked up.
    private func absolute(_ file: String) -> String {
        var file = file[...]
        if file.hasPrefix("file:") { file = file.dropFirst("file:".count) }
        let beforeSlash = file.utf8.prefix { $0 != UInt8(ascii: "/") }
        if beforeSlash.contains(UInt8(ascii: ":")) { return String(file) }  // another protocol, or json:
        let whole = file.hasPrefix("/") ? String(file) : path(of: String(file))
        var parts: [Substring] = []
        for part in whole.split(separator: "/") {
            if part == ".." { _ = parts.popLast() } else if part != "." { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// Most images of a pool are alike, and share one dictionary.
    private func details(of header: ImageHeader, in place: Place) -> [String: Value] {
        if header.details.isEmpty, header.clusterSize == nil, header.extents.isEmpty { return place.details }
        return state.withLock { state in
            // A short list, the latest first: looking through it is quicker than making a hash.
            if let index = state.details.firstIndex(where: { $0.isOf(header) }) { return state.details[index].details }
            let alike = Alike(header, place.details)
            state.details.insert(alike, at: 0)
            if state.details.count > 8 { state.details.removeLast() }
            return alike.details
        }
    }

    /// What two images have in common that have the same `Details`.
    struct Alike: Sendable {
        private let header: ImageHeader
        let details: [String: Value]

        init(_ header: ImageHeader, _ common: [String: Value]) {
            self.header = header
            details = Self.values(of: header).merging(common) { old, _ in old }
        }

        func isOf(_ other: ImageHeader) -> Bool {
            header.clusterSize == other.clusterSize && header.details == other.details && header.extents == other.extents
        }

        private static func values(of header: ImageHeader) -> [String: Value] {
            var values: [String: Value] = [:]
            for detail in header.details {
                values[detail.key] =
                    switch detail.value {
                    case .bool(let value): .bool(value)
                    case .uint32(let value): .uint32(value)
                    case .uint64(let value): .uint64(value)
                    case .string(let value): .string(value)
                    }
            }
            if let size = header.clusterSize { values["cluster-size"] = .uint64(size) }
            if !header.extents.isEmpty { values["extents"] = .strings(header.extents) }
            return values
        }
    }

    // MARK: - Extents

    /// The files that belong to a volume, of those that its descriptor names: `X-….vmdk` beside `X.vmdk`, as those who write
    /// descriptors call them. A descriptor that names others is not believed: they could be anybody's.
    static func ownExtents(of name: String, _ listed: [String]) -> [String] {
        guard !listed.isEmpty, name.hasSuffix(".vmdk") else { return [] }
        let stem = name.dropLast(".vmdk".count) + "-"
        return listed.filter { $0.hasPrefix(stem) && $0.hasSuffix(".vmdk") && !$0.utf8.contains(UInt8(ascii: "/")) }
    }
}
