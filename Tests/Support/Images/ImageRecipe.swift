// SPDX-License-Identifier: LGPL-2.1-or-later

/// How `qemu-img create` makes one image file.
public struct ImageRecipe: Sendable, Hashable, CustomStringConvertible {
    /// The file's name.
    public let name: String
    /// For `-f`.
    public let format: String
    public let size: UInt64
    /// For `-o`, joined by commas; `key-secret=s` finds a secret.
    public let options: String
    /// The backing file, as it shall be written into the header; empty for none. `@` stands for the directory.
    public let backing: String
    /// For `-F`.
    public let backingFormat: String
    /// Whether the header shall not tell the backing file's format, as those written before qemu-img insisted on it.
    public var forgetsBackingFormat = false
    /// Number of internal snapshots to take.
    public var snapshots = 0

    public var description: String { name }

    init(_ name: String, _ format: String, _ size: UInt64, _ options: String = "", backing: String = "", as backingFormat: String = "qcow2")
    {
        self.name = name
        self.format = format
        self.size = size
        self.options = options
        self.backing = backing
        self.backingFormat = backingFormat
    }

    /// Whether the backing file is one that the matrix makes, so that qemu-img can look at it.
    private var hasRealBacking: Bool { ImageRecipe.bases.contains { backing == $0.name || backing == "@/\($0.name)" } }

    func arguments(in directory: String) -> [String] {
        var arguments = ["create", "-q", "--object", "secret,id=s,data=correct horse", "-f", format]
        if !backing.isEmpty {
            if !hasRealBacking { arguments.append("-u") }
            arguments += ["-b", backing.replacing("@", with: directory), "-F", backingFormat]
        }
        if !options.isEmpty { arguments += ["-o", options.replacing("@", with: directory)] }
        return arguments + ["\(directory)/\(name)", String(size)]
    }

    func variant(_ change: (inout ImageRecipe) -> Void) -> ImageRecipe {
        var recipe = self
        change(&recipe)
        return recipe
    }

    /// Made before the others, which may be overlays of them.
    static let bases = [
        ImageRecipe("base.img", "raw", 1 << 20), ImageRecipe("base.qcow2", "qcow2", 1 << 20), ImageRecipe("base.vmdk", "vmdk", 1 << 20),
        ImageRecipe("base.qed", "qed", 1 << 20),
    ]
}
