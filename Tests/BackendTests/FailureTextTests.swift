// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop
import Glibc
import Testing

@testable import Backends

/// What people read of a failure.
struct FailureTextTests {
    @Test func `a place of a disk that cannot be read is called so`() {
        let error = Errno(ENODATA).explained("scan pool p in /srv")
        #expect(error == StorageError(.unavailable, "Cannot scan pool p in /srv: medium error; look into the kernel's log."))
    }

    @Test func `of what mount(8) says, the cause is told`() async throws {
        Loop.shared.startThread()
        let script =
            "echo 'mount: /mnt: wrong fs type.' >&2; echo '       dmesg(1) may have more information after failed mount.' >&2; exit 32"
        let result = try await Child.run("sh", ["-c", script], deadline: .seconds(20))
        #expect(Tool(program: "mount", package: "mount").complaint(of: result) == "/mnt: wrong fs type")
    }
}
