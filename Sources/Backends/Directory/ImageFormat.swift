// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern

/// What qemu-img can make of one image format, and how it is told.
struct ImageFormat: Sendable {
    /// Where its `-o` calls the cluster size something else, or has none.
    private var clusterOption: String?
    private var subformats: [String] = []
    /// The subformat that takes all of its space at once.
    private var fixed: String?
    private var hasVersions = false
    private var preallocations: Set<VolumeRequest.Allocation> = []
    /// The prefix of its encryption options; nil if it cannot be encrypted.
    private var encryption: String?
    private var constants: [String] = []
    /// Whether it can be an overlay.
    private(set) var takesBacking = false
    /// Whether qemu-img can change its size.
    private(set) var isResizable = false

    private static let qcow2: ImageFormat = {
        var format = ImageFormat()
        format.clusterOption = "cluster_size"
        format.hasVersions = true
        format.preallocations = [.metadata, .falloc, .full]
        format.encryption = "encrypt."
        format.takesBacking = true
        format.isResizable = true
        return format
    }()

    private static let luks: ImageFormat = {
        var format = ImageFormat()
        format.preallocations = [.falloc, .full]
        format.encryption = ""
        return format
    }()

    /// Every format but raw that can be made, by name.
    static let all: [String: ImageFormat] = [
        "qcow2": qcow2,
        "luks": luks,
        "qcow": ImageFormat(takesBacking: true),
        "qed": ImageFormat(clusterOption: "cluster_size", takesBacking: true, isResizable: true),
        "vdi": ImageFormat(subformats: ["dynamic", "static"], fixed: "static"),
        // Without force_size the size would be what old BIOSes can address.
        "vpc": ImageFormat(subformats: ["dynamic", "fixed"], fixed: "fixed", constants: ["force_size=on"]),
        "vhdx": ImageFormat(clusterOption: "block_size", subformats: ["dynamic", "fixed"], fixed: "fixed"),
        "vmdk": ImageFormat(subformats: ["monolithicSparse", "streamOptimized"]),
        "parallels": ImageFormat(clusterOption: "cluster_size"),
    ]

    /// What a backing file may be, as qemu calls it: for it, an ISO image is but bytes.
    static func qemuName(of format: String) -> String { format == "iso" ? "raw" : format }

    private static let backingFormats = Set(all.keys).union(["raw", "iso", "bochs", "cloop", "dmg"])

    /// Whether making such a volume takes longer than a moment.
    static func takesLong(_ request: VolumeRequest) -> Bool { request.allocation != .sparse || request.passphrase != nil }

    /// Whether all of the image's bytes are to be reserved when qemu-img has made it.
    func reservesAfterwards(_ request: VolumeRequest) -> Bool { request.allocation == .falloc && !preallocations.contains(.falloc) }

    /// Refuses what the format does not have, by name.
    func check(_ request: VolumeRequest) throws(StorageError) {
        func refuse(_ what: String) -> StorageError {
            StorageError(.invalidArguments, "Volume \(request.name): images of format \(request.format) have no \(what); leave it out.")
        }
        let layout = request.layout
        if layout.clusterSize != nil, clusterOption == nil { throw refuse("cluster size") }
        if layout.compat != nil || layout.lazyRefcounts != nil || layout.extendedL2 != nil, !hasVersions {
            throw refuse("compat, lazy-refcounts or extended-l2")
        }
        if let compat = layout.compat, compat != "0.10", compat != "1.1" {
            throw StorageError(.invalidArguments, "Volume \(request.name): compat is 0.10 or 1.1, not “\(compat)”.")
        }
        if let subformat = layout.subformat, !subformats.contains(subformat) {
            throw subformats.isEmpty
                ? refuse("subformats")
                : StorageError(
                    .invalidArguments,
                    "Volume \(request.name): there is no subformat “\(subformat)” of \(request.format); there are \(subformats.joined(separator: ", "))."
                )
        }
        if let backing = request.backing {
            if !takesBacking { throw refuse("backing file") }
            // qemu-img would write anything.
            if !backing.format.isEmpty, !Self.backingFormats.contains(backing.format) {
                throw StorageError(.invalidArguments, "Volume \(request.name): there is no format “\(backing.format)” of a backing file.")
            }
        }
        if request.passphrase != nil, encryption == nil { throw refuse("encryption; option passphrase") }
        if request.format == "luks", request.passphrase == nil {
            throw StorageError(.invalidArguments, "Volume \(request.name): a LUKS volume needs a passphrase; give option “passphrase”.")
        }
        if let cipher = request.cipher { try check(cipher, request) }
        try checkAllocation(request)
    }

    /// What is asked of a cipher: qemu's option, the word for it, and all words that there are. Another one would change the meaning of
    /// the list that it becomes a part of.
    private static func choices(_ cipher: Cipher) -> [(option: String, word: String, words: Set<String>)] {
        let hashes: Set = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "ripemd160"]
        let algorithms: Set = [
            "aes-128", "aes-192", "aes-256", "des", "3des", "cast5-128", "serpent-128", "serpent-192", "serpent-256", "twofish-128",
            "twofish-192", "twofish-256",
        ]
        let all: [(option: String, word: String?, words: Set<String>)] = [
            ("cipher-alg", cipher.algorithm, algorithms), ("cipher-mode", cipher.mode, ["ecb", "cbc", "xts", "ctr"]),
            ("hash-alg", cipher.hash, hashes), ("ivgen-alg", cipher.vector, ["plain", "plain64", "essiv"]),
            ("ivgen-hash-alg", cipher.vectorHash, hashes),
        ]
        return all.compactMap { choice in choice.word.map { (choice.option, $0, choice.words) } }
    }

    private func check(_ cipher: Cipher, _ request: VolumeRequest) throws(StorageError) {
        for (option, word, words) in Self.choices(cipher) where !words.contains(word) {
            throw StorageError(
                .invalidArguments,
                "Volume \(request.name): \(option) is one of \(words.sorted().joined(separator: ", ")), not “\(word)”.")
        }
    }

    private func checkAllocation(_ request: VolumeRequest) throws(StorageError) {
        if request.reserve != nil { throw noAllocation(request, "partly reserved") }
        switch request.allocation {
        case .sparse: return
        case .falloc where fixed != nil && request.layout.subformat.map({ $0 == fixed }) != false: return
        case let allocation where preallocations.contains(allocation):
            if request.backing != nil, allocation != .metadata { throw noAllocation(request, allocation.rawValue) }
        case let allocation: throw noAllocation(request, allocation.rawValue)
        }
    }

    private func noAllocation(_ request: VolumeRequest, _ allocation: String) -> StorageError {
        let kind = request.backing == nil ? "images" : "overlays"
        return StorageError(
            .notSupported,
            "Volume \(request.name): \(kind) of format \(request.format) cannot be \(allocation) from the start; choose allocation “sparse”."
        )
    }

    /// What follows `-o`; empty for nothing.
    ///
    /// - Parameter secret: the id of the secret object with the passphrase.
    func options(_ request: VolumeRequest, secret: String) -> String {
        var options = constants
        let layout = request.layout
        if let size = layout.clusterSize, let clusterOption { options.append("\(clusterOption)=\(size)") }
        if hasVersions {
            options.append("compat=\(layout.compat ?? "1.1")")
            if let lazy = layout.lazyRefcounts { options.append("lazy_refcounts=\(lazy ? "on" : "off")") }
            if let extended = layout.extendedL2 { options.append("extended_l2=\(extended ? "on" : "off")") }
        }
        if preallocations.contains(request.allocation) { options.append("preallocation=\(request.allocation.rawValue)") }
        if let subformat = layout.subformat ?? (request.allocation == .falloc ? fixed : nil) {
            options.append(subformats.contains("static") ? "static=\(subformat == "static" ? "on" : "off")" : "subformat=\(subformat)")
        }
        if request.passphrase != nil, let encryption {
            if !encryption.isEmpty { options.append("\(encryption)format=luks") }
            options.append("\(encryption)key-secret=\(secret)")
            if let cipher = request.cipher {
                options += Self.choices(cipher).map { "\(encryption)\($0.option)=\($0.word)" }
            }
        }
        return options.joined(separator: ",")
    }
}
