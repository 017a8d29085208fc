// SPDX-License-Identifier: LGPL-2.1-or-later
import Glibc

/// A size on the command line: `10G` and `10GiB` are binary, `10GB` is decimal, a bare number is bytes.
enum Sizes {
    /// What the service says when nobody knows.
    static let unknown = UInt64.max

    private static let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]

    /// Bytes; nil for what is no size, or is above 2^64-2.
    static func parse(_ text: String) -> UInt64? {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text[number.endIndex...].drop { $0 == " " }.lowercased()
        guard let factor = factor(of: unit) else { return nil }
        if let whole = UInt64(number) {
            let (bytes, overflow) = whole.multipliedReportingOverflow(by: factor)
            return overflow || bytes == unknown ? nil : bytes
        }
        guard number.contains("."), let value = Double(number) else { return nil }
        return UInt64(exactly: (value * Double(factor)).rounded())
    }

    private static func factor(of unit: String) -> UInt64? {
        if unit.isEmpty || unit == "b" || unit == "bytes" { return 1 }
        guard let letter = unit.first, let power = "kmgtpe".firstIndex(of: letter) else { return nil }
        let exponent = "kmgtpe".distance(from: "kmgtpe".startIndex, to: power) + 1
        let base: UInt64
        switch unit.dropFirst() {
        case "", "ib": base = 1024
        case "b": base = 1000
        default: return nil
        }
        return (0..<exponent).reduce(1) { result, _ in result * base }
    }

    /// `10 GiB`, `1.5 GiB`, `912 B`; `-` when nobody knows.
    static func describe(_ bytes: UInt64) -> String {
        guard bytes != unknown else { return "-" }
        var unit = 0
        var scale: UInt64 = 1
        while unit + 1 < units.count, bytes / scale >= 1024 {
            unit += 1
            scale *= 1024
        }
        let value = Double(bytes) / Double(scale)
        return oneDecimal(value, whole: bytes % scale == 0 || value >= 100) + " " + units[unit]
    }

    private static func oneDecimal(_ value: Double, whole: Bool) -> String {
        let tenths = UInt64((value * 10).rounded())
        return whole || tenths % 10 == 0 ? "\(UInt64(value.rounded()))" : "\(tenths / 10).\(tenths % 10)"
    }
}

/// A span of time for people: `4 s`, `2 min 5 s`, `3 h 10 min`.
func describeSeconds(_ seconds: UInt64) -> String {
    if seconds < 60 { return "\(seconds) s" }
    if seconds < 3600 { return "\(seconds / 60) min \(seconds % 60) s" }
    return "\(seconds / 3600) h \(seconds % 3600 / 60) min"
}

/// A moment for people, in their time zone: `2026-11-23 15:04:27`; empty when nobody knows.
func describeTime(_ microseconds: UInt64, format: String = "%Y-%m-%d %H:%M:%S") -> String {
    guard microseconds > 0 else { return "" }
    var seconds = time_t(microseconds / 1_000_000)
    var parts = Glibc.tm()
    var text = [CChar](repeating: 0, count: 64)
    guard localtime_r(&seconds, &parts) != nil else { return "" }
    let length = strftime(&text, text.count, format, &parts)
    return String(decoding: text[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

func microsecondsSinceEpoch() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return UInt64(now.tv_sec) * 1_000_000 + UInt64(now.tv_nsec) / 1000
}
