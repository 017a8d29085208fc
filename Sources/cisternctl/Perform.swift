// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop

/// What commands that start a job have in common.
@LoopActor
struct Performer {
    let client: Client
    let options: GlobalOptions
    let job: JobOptions

    init(_ options: GlobalOptions, _ job: JobOptions) throws {
        client = try Client(options)
        self.options = options
        self.job = job
    }

    /// Starts a job and follows it to its end, unless `--no-wait` was given; then says `done`.
    func perform(_ title: String, done: String, _ start: () async throws -> ObjectPath) async throws {
        guard !job.noWait else {
            let path = try await start()
            Terminal.line(options.json ? JSON.object([("\"Job\"", JSON.quoted(path.description))]) : path.description)
            return
        }
        let follower = try await Follower(client, json: options.json)
        let end = try await follower.follow(try await start(), title: title)
        if options.json { Terminal.line(JSON.text(of: end.properties, end.job)) }
        try end.check()
        if !options.json { Terminal.line(done) }
    }
}

/// A `KEY=VALUE` argument.
struct Assignment: ExpressibleByArgument {
    let key: String
    let value: String

    init(key: String, value: String) {
        self.key = key
        self.value = value
    }

    init?(argument: String) {
        guard let equals = argument.firstIndex(of: "="), equals > argument.startIndex else { return nil }
        key = String(argument[..<equals])
        value = String(argument[argument.index(after: equals)...])
    }
}
