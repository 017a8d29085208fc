// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc

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
    private let json: Bool
    private let events: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation
    private var forwarders: [Task<Void, Never>] = []
    private var state: Properties = [:]
    private var question: Source?

    /// Subscribes to what the service says of its jobs.
    init(_ client: Client, json: Bool) async throws {
        self.client = client
        self.json = json
        (events, continuation) = AsyncStream.makeStream(of: Event.self)
        let service = Client.service
        let changes = try await client.connection.signals(
            sender: service, path: nil, pathNamespace: Client.jobs, interface: Interface.properties.rawValue, member: "PropertiesChanged")
        let ends = try await client.connection.signals(
            sender: service, path: Client.root, pathNamespace: nil, interface: Interface.manager.rawValue, member: "JobFinished")
        let owners = try await client.connection.signals(
            sender: "org.freedesktop.DBus", path: nil, pathNamespace: nil, interface: "org.freedesktop.DBus", member: "NameOwnerChanged")
        forward(changes) { .changed($0.path, $0.body.count > 1 ? $0.body[1].dictionary ?? [:] : [:]) }
        forward(ends, Self.finished)
        forward(owners) { $0.body.first?.text == service && $0.body.last?.text == "" ? .serviceLeft : nil }
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
    func follow(_ job: ObjectPath, title: String, quiet: Bool = false) async throws -> JobEnd {
        defer { stop() }
        if job == .root { return JobEnd(job: job, properties: ["State": .string("completed")]) }
        var display = ProgressDisplay(title: title)
        defer { display.leave() }
        let continuation = continuation
        Interrupt.handler = { continuation.yield(.interrupt) }

        state = try await client.properties(job, .job)
        if !isFinished { show(&display, job, quiet) }
        var iterator = events.makeAsyncIterator()
        while !isFinished, let event = await iterator.next() {
            switch event {
            case .changed(job, let properties):
                state.merge(properties) { $1 }
                if question == nil { show(&display, job, quiet) }
            case .finished(job, let end, let error, let message):
                state.merge(["State": .string(end), "Error": .string(error), "ErrorMessage": .string(message)]) { $1 }
            case .serviceLeft:
                throw Failure(.notRunning, "cisternd has gone; when it is back, `cisternctl job list` tells what became of \(job).")
            case .interrupt:
                display.leave()
                try ask(job)
            case .answer(let text): try await act(on: text, job)
            case .changed, .finished: continue
            }
        }
        return try await end(of: job)
    }

    private var isFinished: Bool { ["completed", "failed", "cancelled"].contains(state.text("State")) }

    private func end(of job: ObjectPath) async throws -> JobEnd {
        guard isFinished else { throw Failure(.notRunning, "The connection to the bus was lost; \(job) goes on without us.") }
        // The signals may have been told apart from the result: the object, which stays for a minute, has it all.
        if let last = try? await client.properties(job, .job) { state.merge(last) { $1 } }
        return JobEnd(job: job, properties: state)
    }

    private func show(_ display: inout ProgressDisplay, _ job: ObjectPath, _ quiet: Bool) {
        if quiet || isFinished && !Terminal.outputIsTerminal { return }
        if json {
            Terminal.line(JSON.text(of: state, job))
        } else {
            display.show(Progress(state), now: microsecondsSinceEpoch())
        }
    }

    /// Ctrl-C: on a terminal the person decides; else, and on the second time, the job goes on without us.
    private func ask(_ job: ObjectPath) throws {
        guard question == nil, Terminal.inputIsTerminal, Terminal.outputIsTerminal else {
            if question != nil { Terminal.text("\n") }
            throw leave(job)
        }
        Terminal.text("Cancel the job (c), leave it running (l), or go on following it (Enter)? ")
        let continuation = continuation
        question = try Loop.shared.watch(STDIN_FILENO) { _ in continuation.yield(.answer(readLine() ?? "l")) }
    }

    private func leave(_ job: ObjectPath) -> Failure {
        Failure(.interrupted, "\(job) goes on; `cisternctl job watch \(Client.number(of: job))` follows it.")
    }

    private func act(on answer: String, _ job: ObjectPath) async throws {
        guard question != nil else { return }
        question = nil
        switch answer.lowercased().first {
        case "c": try await client.call(job, .job, "Cancel", Properties())
        case "l": throw leave(job)
        default: break
        }
    }
}

extension Progress {
    init(_ job: Properties) {
        phase = job.text("Phase").isEmpty ? job.text("State") : job.text("Phase")
        bytesDone = job["BytesDone"]?.unsigned ?? 0
        bytesTotal = job.number("BytesTotal")
        fraction = job["Progress"]?.double ?? -1
        rate = job["Rate"]?.unsigned ?? 0
        expectedEnd = job["ExpectedEndTime"]?.unsigned ?? 0
    }
}

func microsecondsSinceEpoch() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return UInt64(now.tv_sec) * 1_000_000 + UInt64(now.tv_nsec) / 1000
}
