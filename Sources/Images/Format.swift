// SPDX-License-Identifier: LGPL-2.1-or-later

/// The formats that are more than plain data.
enum Format: String, CaseIterable {
    case qcow, qcow2, qed, vmdk, vdi, vpc, vhdx, luks, iso, bochs, cloop, dmg, parallels

    /// The format that a file's first bytes, or its name, suggest. Each format's own parser decides.
    init?(_ header: Span<UInt8>, name: String) {
        if let format = Format(header) {
            self = format
        } else if let format = Format(ending: name) {
            self = format
        } else {
            return nil
        }
    }

    /// By the magic number: all but one format have theirs in front.
    private init?(_ header: Span<UInt8>) {
        guard header.count >= 4 else { return nil }
        switch header.be32(0) {
        case QCow.magic: self = header.be32(4) == 1 ? .qcow : .qcow2
        case QED.magic: self = .qed
        case VMDK.sparseMagic, VMDK.cowdMagic: self = .vmdk
        case VHDX.magic where header.holds(VHDX.identifier): self = .vhdx
        case VPC.magic where header.holds(VPC.cookie): self = .vpc
        case LUKS.magic where header.be16(4) == LUKS.magicEnd: self = .luks
        case Parallels.magic where Parallels.isOne(header): self = .parallels
        case Bochs.magic where Bochs.isOne(header): self = .bochs
        default:
            if header.le32(VDI.signatureOffset) == VDI.signature {
                self = .vdi
            } else if Cloop.isOne(header) {
                self = .cloop
            } else if VMDKDescriptor.begins(header) {
                self = .vmdk
            } else {
                return nil
            }
        }
    }

    /// By the end of the name: these have their marks too far inside to look for them in every file.
    private init?(ending name: String) {
        let bytes = name.utf8Span.span
        guard bytes.count >= 4 else { return nil }
        // This bit makes letters small and leaves the dot what it is.
        switch bytes.be32(bytes.count - 4) | 0x2020_2020 {
        case 0x2e69_736f: self = .iso
        case 0x2e64_6d67: self = .dmg
        default: return nil
        }
    }

    /// Whether a probe comes here by the file's name alone.
    var isHint: Bool { self == .iso || self == .dmg }

    /// Fills in what the header says.
    func parse(_ header: Span<UInt8>, _ length: UInt64, _ name: String, into image: inout ImageHeader, _ more: Reader) throws(Flaw) {
        switch self {
        case .qcow: try QCow.parse(header, length, into: &image, more)
        case .qcow2: try QCow2.parse(header, length, into: &image, more)
        case .qed: try QED.parse(header, length, into: &image, more)
        case .vmdk: try VMDK.parse(header, length, name, into: &image, more)
        case .vdi: try VDI.parse(header, length, into: &image)
        case .vpc: try VPC.parse(header, length, into: &image, more)
        case .vhdx: try VHDX.parse(header, length, into: &image, more)
        case .luks: try LUKS.parse(header, length, into: &image, more)
        case .iso: try ISO.parse(more)
        case .bochs: try Bochs.parse(header, length, into: &image)
        case .cloop: try Cloop.parse(header, length, into: &image)
        case .dmg: try DMG.parse(length, into: &image, more)
        case .parallels: try Parallels.parse(header, length, into: &image)
        }
    }
}
