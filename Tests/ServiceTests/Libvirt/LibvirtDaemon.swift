// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

/// A libvirtd with its storage driver alone, that knows nothing of the machine's own libvirt: in a mount namespace where everything it
/// keeps is in memory, in a network namespace without a network. Ends with ``end()``, and at the latest with the test process.
@LoopActor final class LibvirtDaemon {
    private let uri: String
    private var pid: Int32 = 0
    private var running: Task<ChildResult, any Error>?

    /// Whether this process may make such namespaces.
    nonisolated static let canRun = geteuid() == 0 && succeeds("/usr/bin/unshare", namespaces + ["mount", "-t", "tmpfs", "test", "/run"])

    private nonisolated static let namespaces = ["--mount", "--net", "--propagation", "private"]

    /// Runs a test against a libvirtd of its own and a cisternd.
    nonisolated static func run(_ test: @LoopActor (Harness, LibvirtDaemon) async throws -> Void) async throws {
        try await Harness.run { harness in
            let libvirt = try LibvirtDaemon(in: harness.root + "/libvirt")
            do {
                try await eventually("libvirtd answers", within: .seconds(20)) { try await libvirt.answers() }
                try await test(harness, libvirt)
            } catch {
                await libvirt.end()
                throw error
            }
            await libvirt.end()
        }
    }

    private init(in directory: String) throws {
        uri = "storage:///system?socket=\(directory)/libvirt-sock"
        mkdir(directory, 0o755)
        mkdir(directory + "/drivers", 0o755)
        let configuration = ["auth_unix_rw = \"none\"", "auth_unix_ro = \"none\"", "unix_sock_dir = \"\(directory)\""]
        writeFile(directory + "/libvirtd.conf", Array(configuration.joined(separator: "\n").utf8))
        running = Task {
            try await Child.run(
                "/usr/bin/unshare", Self.namespaces + ["sh", "-ec", Self.script, "sh", directory], deadline: .seconds(300)
            ) { self.pid = $0 }
        }
    }

    /// What libvirtd writes to is in memory; of its drivers it finds one.
    private static let script = #"""
        for directory in /run /etc/libvirt /var/lib /var/cache /var/log; do mount -t tmpfs -o mode=0755 test "$directory"; done
        ln -s /usr/lib/*/libvirt/connection-driver/libvirt_driver_storage.so "$1/drivers"
        LIBVIRT_DRIVER_DIR=$1/drivers exec libvirtd --config "$1/libvirtd.conf" --pid-file "$1/libvirtd.pid"
        """#

    private func answers() async throws -> Bool {
        if pid > 0, Glibc.kill(pid, 0) < 0 {
            let result = try await running?.value
            throw BusError.failed("libvirtd did not start: \(result?.complaint ?? "")")
        }
        return try await Child.run("virsh", ["-c", uri, "uri"], deadline: .seconds(20)).succeeded
    }

    /// Runs a command of virsh; what it prints.
    @discardableResult func virsh(_ words: String...) async throws -> String {
        let result = try await Child.run("virsh", ["-q", "-c", uri] + words, deadline: .seconds(60))
        guard result.succeeded else { throw BusError.failed("virsh \(words.joined(separator: " ")): \(result.complaint)") }
        return result.text
    }

    private func end() async {
        if pid > 0 { Glibc.kill(pid, SIGKILL) }
        _ = try? await running?.value
    }
}
