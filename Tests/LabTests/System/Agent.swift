// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Foundation

/// An agent that polkit has ask users, as a desktop has one. It knows what they would say.
///
/// https://www.freedesktop.org/software/polkit/docs/latest/eggdbus-interface-org.freedesktop.PolicyKit1.AuthenticationAgent.html
@LoopActor final class Agent {
    private typealias Identity = Struct<String, [String: Variant]>

    private static let name = "org.freedesktop.PolicyKit1"
    private static let authority: ObjectPath = "/org/freedesktop/PolicyKit1/Authority"
    private static let path: ObjectPath = "/org/cistern/Agent"

    private let connection: Connection
    private let server: ObjectServer
    private var answer: @LoopActor () async throws -> Void = {}
    /// What users were asked.
    private(set) var questions: [String] = []
    /// One for each question that was taken back.
    let cancellations: AsyncStream<Void>
    private let cancelled: AsyncStream<Void>.Continuation

    static func start() async throws -> Agent { Agent(try Connection.open(.system, description: "agent")) }

    private init(_ connection: Connection) {
        self.connection = connection
        (cancellations, cancelled) = AsyncStream.makeStream(of: Void.self)
        server = ObjectServer(connection, authorize: { _, _, _ in })
        server.export(Face(agent: self), at: Self.path, [Self.interface])
    }

    func end() { connection.close() }

    /// Answers for whoever a process belongs to.
    ///
    /// - Parameter isRight: whether the user proves to be an administrator, or gives up.
    func serve(_ process: Int32, says isRight: Bool) async throws {
        answer = { if !isRight { throw BusError("org.freedesktop.PolicyKit1.Error.Cancelled", "The user gave up.") } }
        try await register(process)
    }

    /// Has something happen instead of an answer, which never comes.
    func serve(_ process: Int32, _ instead: @escaping @LoopActor () -> Void) async throws {
        answer = {
            instead()
            try await Task.sleep(for: .seconds(50))
        }
        try await register(process)
    }

    private func register(_ process: Int32) async throws {
        let stat = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        let fields = stat.split(separator: ")").last?.split(separator: " ") ?? []
        let start = fields.count > 19 ? UInt64(fields[19]) ?? 0 : 0
        try await connection.call(
            Self.name, Self.authority, Self.name + ".Authority", "RegisterAuthenticationAgent",
            Struct("unix-process", ["pid": Variant.uint32(UInt32(process)), "start-time": .uint64(start)]), "C", Self.path.description)
    }

    fileprivate func ask(_ question: String, _ cookie: String, _ identity: Variant) async throws {
        questions.append(question)
        try await answer()
        _ = try await connection.call(
            Self.name, Self.authority, Self.name + ".Authority", "AuthenticationAgentResponse2",
            dynamic: [.uint32(0), .string(cookie), identity])
    }

    fileprivate func takeBack() { cancelled.yield() }

    private static let interface = Interface<Face>("org.freedesktop.PolicyKit1.AuthenticationAgent", "Asks users.") {
        Method(
            "BeginAuthentication", "Asks one.", takes: "action", "message", "icon", "details", "cookie", "identities", allow: .everyone,
            call: Face.begin)
        Method("CancelAuthentication", "Takes the question back.", takes: "cookie", allow: .everyone, call: Face.cancel)
    }

    /// The agent as polkit sees it.
    @LoopActor fileprivate struct Face: Sendable {
        let agent: Agent

        fileprivate func begin(
            _ action: String, _ message: String, _ icon: String, _ details: [String: String], _ cookie: String,
            _ identities: [Struct<String, [String: Variant]>]
        ) async throws {
            try await agent.ask(message, cookie, .structure([.string("unix-user"), .dictionary(["uid": Variant.uint32(0)])]))
        }

        fileprivate func cancel(_ cookie: String) async throws { agent.takeBack() }
    }
}
