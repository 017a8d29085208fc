// SPDX-License-Identifier: LGPL-2.1-or-later

/// Sizes as libvirt writes them: a whole number and a unit.
enum ScaledSize {
    /// Factor of a unit, which libvirt reads in any case: `b`, `byte`, `bytes`; `k`, `KiB` (1024), `KB` (1000) and so on to E.
    static func factor(_ unit: String) -> UInt64? {
        let unit = unit.lowercased()
        if ["b", "byte", "bytes"].contains(unit) { return 1 }
        guard let letter = unit.first, let power = Array("kmgtpe").firstIndex(of: letter) else { return nil }
        let base: UInt64
        switch unit.dropFirst() {
        case "", "ib": base = 1024
        case "b": base = 1000
        default: return nil
        }
        return (0...power).reduce(1) { factor, _ in factor * base }
    }

    /// Bytes.
    ///
    /// - Throws: `invalidXML` for what is no whole number, no unit, or more than 2^63 - 1 bytes.
    static func parse(_ number: Flattened.Text, unit: Flattened.Text?, _ path: String) throws(StorageError) -> UInt64 {
        let digits = number.value.trimmed
        guard !digits.isEmpty, digits.allSatisfy(\.isDecimal) else {
            throw Flattened.invalid(number.line, "\(path) is “\(digits)”, but a whole number is needed")
        }
        let unitName = unit?.value.trimmed ?? "bytes"
        guard let factor = factor(unitName) else {
            throw Flattened.invalid(number.line, "the unit “\(unitName)” of \(path) is unknown; use bytes, KiB, MiB, GiB, TiB, PiB or EiB")
        }
        let product = UInt64(digits)?.multipliedReportingOverflow(by: factor)
        guard let product, !product.overflow, product.partialValue <= UInt64(Int64.max) else {
            throw Flattened.invalid(number.line, "\(path) is more than 2^63 - 1 bytes; make it smaller")
        }
        return product.partialValue
    }
}
