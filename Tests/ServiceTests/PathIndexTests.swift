// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Testing

@testable import Service

/// Two copies of one file system have the same keys.
@Suite struct PathIndexTests {
    @Test func `a key that two volumes have leads to the older one, and to the other when that is gone`() {
        var index = PathIndex()
        let (first, second, third): (ObjectPath, ObjectPath, ObjectPath) = ("/a", "/b", "/c")
        for path in [first, second, third, second] { index.add("key", path) }
        index.add("", first)
        #expect(index["key"] == first && index[""] == nil)
        index.remove("key", second)
        index.remove("key", first)
        #expect(index["key"] == third)
        index.remove("key", third)
        index.remove("key", third)
        #expect(index["key"] == nil)
    }
}
