// SPDX-License-Identifier: LGPL-2.1-or-later

/// How the files of a pool are named.
enum DefinitionName {
    /// A file's name: `NAME.xml`. A dot at the beginning and every % are percent-encoded; of a name that would be too long, the
    /// beginning is kept, and a number made of all of it. Two pools never share one (of two long names: never in practice).
    static func file(_ pool: String) -> String {
        var encoded = pool.hasPrefix(".") ? "%2E" : ""
        for scalar in pool.unicodeScalars.dropFirst(encoded.isEmpty ? 0 : 1) {
            if scalar == "%" { encoded += "%25" } else { encoded.unicodeScalars.append(scalar) }
        }
        if encoded.utf8.count + suffix.utf8.count <= longest { return encoded + suffix }
        var beginning = ""
        for scalar in encoded.unicodeScalars where beginning.utf8.count < 200 { beginning.unicodeScalars.append(scalar) }
        return "\(beginning)%=\(hash(pool))\(suffix)"
    }

    static let suffix = ".xml"
    private static let longest = 255

    /// 128-bit FNV-1a, in hexadecimal.
    private static func hash(_ text: String) -> String {
        var hash: UInt128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d
        for byte in text.utf8 { hash = (hash ^ UInt128(byte)) &* 0x0000_0000_0100_0000_0000_0000_0000_013b }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
    }
}
