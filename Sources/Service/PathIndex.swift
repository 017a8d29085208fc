// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus

/// Objects by something that nearly always is one object's alone: a volume's key, which a copy of a whole file system shares with it.
struct PathIndex {
    private var first: [String: ObjectPath] = [:]
    /// Later objects of the same value, in the order in which they came.
    private var others: [String: [ObjectPath]] = [:]

    /// The object that has had the value for the longest time.
    subscript(_ value: String) -> ObjectPath? { first[value] }

    /// Adds an object; the empty value is nobody's.
    mutating func add(_ value: String, _ path: ObjectPath) {
        if value.isEmpty { return }
        guard let known = first[value], known != path else {
            first[value] = path
            return
        }
        if others[value]?.contains(path) != true { others[value, default: []].append(path) }
    }

    /// Removes an object, if it is there.
    mutating func remove(_ value: String, _ path: ObjectPath) {
        if first[value] != path {
            others[value]?.removeAll { $0 == path }
            if others[value]?.isEmpty == true { others[value] = nil }
            return
        }
        first[value] = others[value]?.removeFirst()
        if others[value]?.isEmpty == true { others[value] = nil }
    }
}
