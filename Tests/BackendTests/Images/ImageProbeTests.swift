// SPDX-License-Identifier: LGPL-2.1-or-later
import Images
import TestSupport
import Testing

/// The parser against qemu-img, on images that qemu-img has made.
@Suite struct ImageProbeTests {
    /// The file's own length counts, whatever qemu-img rounds it to.
    private static let formatsWithoutSize: Set<String> = ["raw"]

    @Test func agreesWithQemuImgOnEveryFormat() async throws {
        #expect(ImageRecipe.all.count >= 80)
        #expect(Set(ImageRecipe.all.map(\.name)).count == ImageRecipe.all.count)
        let directory = try TemporaryDirectory()
        let matrix = try await ImageMatrix.make(in: directory.path)
        #expect(matrix.images.count == ImageRecipe.all.count)
        for image in matrix.images {
            let header = try ImageFile.examine(image.path)
            #expect(differences(header, image.answer) == [], "\(image.recipe)")
            let mayBeImage = try ImageFile.mayBeImage(image.path)
            #expect(mayBeImage == (header.format != "raw"), "\(image.recipe)")
            try await checkDeclared(image)
        }
    }

    /// An image read as what it was made as; of those that a probe tells, the answer is the probe's.
    private func checkDeclared(_ image: ImageMatrix.Image) async throws {
        let declared = try ImageFile.examine(image.path, as: image.recipe.format)
        #expect(declared.format == image.recipe.format)
        #expect(declared.problem == "", "\(image.recipe)")
        if image.answer.format == image.recipe.format {
            let probed = try ImageFile.examine(image.path)
            #expect(probed == declared)
        } else {
            let answer = try #require(try await ImageMatrix.ask(image.path, as: image.recipe.format))
            #expect(differences(declared, answer) == [], "\(image.recipe)")
        }
        let raw = try ImageFile.examine(image.path, as: "raw")
        #expect(raw == ImageHeader(format: "raw"))
    }

    /// What the two say differently, as sentences.
    private func differences(_ ours: ImageHeader, _ theirs: ImageAnswer) -> [String] {
        var found: [String] = []
        func compare<Value: Equatable>(_ what: String, _ ours: Value?, _ theirs: Value?) {
            if ours != theirs { found.append("\(what): \(String(describing: ours)), qemu-img: \(String(describing: theirs))") }
        }
        let data = theirs.specific?.data
        compare("problem", ours.problem, "")
        compare("format", ours.format, theirs.format)
        compare("capacity", ours.capacity, Self.formatsWithoutSize.contains(theirs.format) ? nil : theirs.virtualSize)
        compare("backing file", ours.backing?.file, theirs.backingFile)
        compare("backing format", ours.backing.flatMap { $0.format.isEmpty ? nil : $0.format }, theirs.backingFormat)
        compare("backing-format", ours["backing-format"], theirs.backingFormat.map { .string($0) })
        compare("encrypted", !ours.encryption.isEmpty, theirs.isEncrypted ?? false)
        // qemu-img takes the cluster size of a described image from its first extent.
        if let size = theirs.clusterSize, ours.extents.isEmpty { compare("cluster size", ours.clusterSize, size) }
        if let dirty = ours["dirty"], theirs.format != "parallels" { compare("dirty", dirty, .bool(theirs.isDirty ?? false)) }
        compare("snapshots", ours["snapshots"], theirs.snapshots.map { .uint32(UInt32($0.count)) })
        compare("compat", ours["compat"], data?.compat.map { .string($0) })
        compare("compression", ours["compression"], data?.compression.map { .string($0) })
        compare("lazy-refcounts", ours["lazy-refcounts"], data?.lazyRefcounts.map { .bool($0) })
        compare("extended-l2", ours["extended-l2"], data?.extendedL2.map { .bool($0) })
        compare("corrupt", ours["corrupt"], data?.corrupt.map { .bool($0) })
        compare("data file", ours.dataFile, data?.dataFile)
        compare("data-file", ours["data-file"], data?.dataFile.map { .string($0) })
        if theirs.format == "vmdk" { compareExtents(ours, data, compare) }
        if theirs.format == "qcow2" { compare("cipher", ours.encryption.isEmpty ? nil : ours.encryption, data?.encrypt.map(cipher)) }
        if theirs.format == "luks" { compare("cipher", ours.encryption, "luks1") }
        return found
    }

    private func cipher(_ cipher: ImageAnswer.Cipher) -> String { cipher.format == "luks" ? "luks1" : cipher.format }

    private func compareExtents(
        _ ours: ImageHeader, _ data: ImageAnswer.Properties?,
        _ compare: (String, ImageHeader.Detail.Value?, ImageHeader.Detail.Value?) -> Void
    ) {
        compare("subformat", ours["subformat"], data?.createType.map { .string($0) })
        let files = (data?.extents ?? []).compactMap { $0.filename.split(separator: "/").last.map(String.init) }
        // qemu-img calls an image without further files its own extent.
        if files.count > 1 || !ours.extents.isEmpty {
            compare("extents", .string(ours.extents.joined(separator: "\n")), .string(files.joined(separator: "\n")))
        }
    }
}
