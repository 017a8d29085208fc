// SPDX-License-Identifier: LGPL-2.1-or-later
public import Bus
import EventLoop
public import Glibc

/// A dbus-daemon of its own for one test or suite: in a temporary directory, with its own configuration, touching no other bus.
/// Ends with `stop()`, with the last reference, and at the latest with the test process.
public final class PrivateBus: Sendable {
    /// Who may do what. Both let everybody own and send everything.
    public enum Policy: String, Sendable {
        case session
        /// Of type "system", and other users may connect, as they may to a system bus.
        case system
    }

    /// Something a test needs is not there.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// For DBUS_SYSTEM_BUS_ADDRESS and the like.
    public let address: String
    public let directory: String
    public let process: pid_t
    private let isStopped = Locked(false)

    private init(_ address: String, _ directory: String, _ process: pid_t) {
        self.address = address
        self.directory = directory
        self.process = process
    }

    deinit { stop() }

    /// Starts the event loop if need be, and returns once the bus can be connected to.
    public static func start(_ policy: Policy = .session) async throws -> PrivateBus {
        Loop.shared.startThread()
        return try await launch(policy)
    }

    /// A connection of its own to this bus.
    @LoopActor
    public func connect(_ description: String = "test") throws(BusError) -> Connection {
        try Connection.open(.custom(address), description: description)
    }

    public func stop() {
        let first = isStopped.withLock { stopped in
            defer { stopped = true }
            return !stopped
        }
        guard first else { return }
        kill(process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        unlink(directory + "/bus.conf")
        unlink(directory + "/bus")
        rmdir(directory)
    }

    /// On the loop's thread, because the daemon is tied to the life of the thread that starts it, and this one lives to the end.
    @LoopActor
    private static func launch(_ policy: Policy) async throws -> PrivateBus {
        let directory = try makeDirectory()
        let socket = directory + "/bus"
        try write(configuration(policy, socket), to: directory + "/bus.conf")
        var pipes: [Int32] = [-1, -1]
        let made = socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &pipes)
        guard made == 0 else { throw Failure(description: "cannot make a pair of sockets") }
        defer { close(pipes[0]) }
        let process = try spawn(directory + "/bus.conf", readiness: pipes[1])
        close(pipes[1])
        let bus = PrivateBus("unix:path=\(socket)", directory, process)
        try await waitUntilReadable(pipes[0])
        var byte: UInt8 = 0
        guard read(pipes[0], &byte, 1) == 1 else { throw Failure(description: "dbus-daemon did not start; is it installed?") }
        return bus
    }

    private static func makeDirectory() throws -> String {
        var template = Array("/tmp/cistern-bus-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(description: "cannot make a temporary directory") }
        let directory = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
        chmod(directory, 0o755)
        return directory
    }

    private static func configuration(_ policy: Policy, _ socket: String) -> String {
        """
        <!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
         "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
        <busconfig>
          <type>\(policy.rawValue)</type>
          <listen>unix:path=\(socket)</listen>
          <auth>EXTERNAL</auth>
          <policy context="default">
            <allow user="*"/>
            <allow own="*"/>
            <allow send_type="method_call"/>
            <allow send_destination="*" eavesdrop="true"/>
            <allow receive_sender="*" eavesdrop="true"/>
          </policy>
          <limit name="max_replies_per_connection">100000</limit>
          <limit name="max_match_rules_per_connection">10000</limit>
        </busconfig>
        """
    }

    private static func write(_ text: String, to path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        defer { close(file) }
        var text = text
        let written = text.withUTF8 { Glibc.write(file, $0.baseAddress, $0.count) }
        guard written == text.utf8.count else { throw Failure(description: "cannot write \(path)") }
    }

    /// `setpriv` has the kernel kill the daemon when this process ends, however it does.
    private static func spawn(_ configuration: String, readiness: Int32) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        // As root without CAP_SYS_RESOURCE it warns about its limit of descriptors each time.
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        posix_spawn_file_actions_adddup2(&actions, readiness, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let words = [
            "setpriv", "--pdeathsig", "KILL", "--", "dbus-daemon", "--config-file=\(configuration)", "--nofork", "--nopidfile",
            "--nosyslog", "--print-address=3",
        ]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process = pid_t()
        let result = posix_spawnp(&process, "setpriv", &actions, &attributes, &arguments, environ)
        guard result == 0 else { throw Failure(description: "cannot start setpriv: \(String(cString: strerror(result)))") }
        return process
    }

    @LoopActor
    private static func waitUntilReadable(_ descriptor: Int32) async throws {
        var source: Source?
        try await withCheckedThrowingContinuation { (waiting: CheckedContinuation<Void, any Error>) in
            var waiting: CheckedContinuation<Void, any Error>? = waiting
            do throws(LoopError) {
                source = try Loop.shared.watch(descriptor) { _ in
                    waiting?.resume()
                    waiting = nil
                }
            } catch {
                waiting?.resume(throwing: error)
            }
        }
        source?.cancel()
    }
}
