// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc

/// What the service answered to a method that may start a job.
struct Started: Sendable {
    /// `/` when there was nothing to wait for.
    let job: ObjectPath
    /// What the method was about, or has made.
    let objects: [ObjectPath]
}

/// How a job ended.
struct JobEnd: Sendable {
    let job: ObjectPath
    let properties: Properties

    var state: String { properties.text("State") }

    /// Throws what the job failed with.
    func check() throws {
        guard state != "completed" else { return }
        let message = properties.text("ErrorMessage")
        if state == "cancelled" { throw Failure(.failed, message.isEmpty ? "The job was cancelled; nothing of it remains." : message) }
        throw Failure(name: properties.text("Error"), message: message)
    }
}

/// The job that was followed goes on without us: not its end.
struct JobGoesOn: Error {
    let job: ObjectPath
    /// Why we leave, and the exit code.
    let failure: Failure
}

/// Follows one job to its end. Made before the job is started, so that no signal of a short job is missed.
@LoopActor
final class Follower {
    private enum Event: Sendable {
        case changed(ObjectPath, Properties)
        case finished(ObjectPath, state: String, error: String, message: String)
        case serviceLeft
        case interrupt
        case answer(String)
    }

    private let client: Client
    private let view: any JobView
    private let events: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation
    private var forwarders: [Task<Void, Never>] = []
    private var state: Properties = [:]
    private var question: Source?

    /// Subscribes to what the service says of its jobs.
    init(_ client: Client, _ view: any JobView) async throws {
        self.client = client
        self.view = view
        (events, continuation) = AsyncStream.makeStream(of: Event.self)
        let service = Client.service
        let changes = try await client.connection.signals(
            sender: service, pathNamespace: Client.jobs, interface: Interface.properties.rawValue, member: "PropertiesChanged")
        let ends = try await client.connection.signals(
            sender: service, path: Client.root, interface: Interface.manager.rawValue, member: "JobFinished")
        forward(changes) { .changed($0.path, $0.body.count > 1 ? $0.body[1].dictionary ?? [:] : [:]) }
        forward(ends, Self.finished)
        forward(try await client.ownerChanges()) { $0.body.first?.text == service && $0.body.last?.text == "" ? .serviceLeft : nil }
    }

    private func forward(_ stream: AsyncStream<ReceivedSignal>, _ event: @escaping @Sendable (ReceivedSignal) -> Event?) {
        let continuation = continuation
        forwarders.append(
            Task {
                for await signal in stream { if let event = event(signal) { continuation.yield(event) } }
            })
    }

    private nonisolated static func finished(_ signal: ReceivedSignal) -> Event? {
        guard signal.body.count >= 4, let job = signal.body[0].path else { return nil }
        return .finished(
            job, state: signal.body[1].text ?? "", error: signal.body[2].text ?? "", message: signal.body[3].text ?? "")
    }

    private func stop() {
        Interrupt.handler = nil
        question = nil
        for forwarder in forwarders { forwarder.cancel() }
        continuation.finish()
    }

    /// Shows how the job gets on, until it has ended.
    ///
    /// - Throws: ``JobGoesOn`` when it is left to itself.
    func follow(_ started: Started, title: String) async throws -> JobEnd {
        defer { stop() }
        let job = started.job
        if job == .root {
            return JobEnd(job: job, properties: ["Objects": .paths(started.objects), "State": .string("completed")])
        }
        try view.begin(title)
        defer { view.end() }
        let continuation = continuation
        Interrupt.handler = { continuation.yield(.interrupt) }

        state = try await client.properties(job, .job)
        if !isFinished { view.show(state, job) }
        var iterator = events.makeAsyncIterator()
        while !isFinished, let event = await iterator.next() { try await handle(event, of: job) }
        return try await end(of: job)
    }

    private func handle(_ event: Event, of job: ObjectPath) async throws {
        switch event {
        case .changed(job, let properties):
            state.merge(properties) { $1 }
            if question == nil, !isFinished { view.show(state, job) }
        case .finished(job, let end, let error, let message):
            state.merge(["State": .string(end), "Error": .string(error), "ErrorMessage": .string(message)]) { $1 }
        case .serviceLeft:
            let advice = "when it is back, `cisternctl job list` tells what became of \(describe(job))"
            throw JobGoesOn(job: job, failure: Failure(.notRunning, "cisternd has gone; \(advice)."))
        case .interrupt: try ask(job)
        case .answer(let text): try await act(on: text, job)
        case .changed, .finished: break
        }
    }

    private var isFinished: Bool { ["completed", "failed", "cancelled"].contains(state.text("State")) }

    private func end(of job: ObjectPath) async throws -> JobEnd {
        guard isFinished else {
            let failure = Failure(.notRunning, "The connection to the bus was lost; \(describe(job)) goes on without us.")
            throw JobGoesOn(job: job, failure: failure)
        }
        // The question stands on a line of its own, and nobody wants the answer any more.
        if question != nil { Terminal.line("", to: .messages) }
        // The signals may have been told apart from the result: the object, which stays for a minute, has it all.
        if let last = try? await client.properties(job, .job) { state.merge(last) { $1 } }
        return JobEnd(job: job, properties: state)
    }

    /// Ctrl-C: on a terminal the person decides; else, and on the second time, the job goes on without us.
    private func ask(_ job: ObjectPath) throws {
        guard question == nil, Terminal.canAsk else {
            if question != nil { Terminal.line("", to: .messages) }
            throw leave(job)
        }
        view.pause()
        Terminal.text("Cancel the job (c), leave it running (l), or go on following it (Enter)? ", to: .messages)
        let continuation = continuation
        question = try Loop.shared.watch(STDIN_FILENO) { _ in continuation.yield(.answer(readLine() ?? "l")) }
    }

    private func leave(_ job: ObjectPath) -> JobGoesOn {
        let number = Client.number(of: job)
        return JobGoesOn(
            job: job, failure: Failure(.interrupted, "Job \(number) goes on; `cisternctl job watch \(number)` follows it."))
    }

    private func act(on answer: String, _ job: ObjectPath) async throws {
        guard question != nil else { return }
        question = nil
        switch answer.lowercased().first {
        case "c": try await client.call(job, .job, "Cancel", Properties())
        case "l": throw leave(job)
        default: view.show(state, job)
        }
    }
}

extension Client {
    /// Says when any name on the bus gets another owner: the name comes first, the owner or nothing last.
    func ownerChanges() async throws -> AsyncStream<ReceivedSignal> {
        try await connection.signals(
            sender: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus", member: "NameOwnerChanged")
    }
}
