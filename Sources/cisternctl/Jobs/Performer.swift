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
    /// Where the result is told; not standard output when that carries data.
    var stream = Terminal.Stream.output

    init(_ options: GlobalOptions, _ job: JobOptions) throws {
        client = try Client(options)
        self.options = options
        self.job = job
    }

    /// Starts a job and follows it to its end, unless `--no-wait` was given; then says `done`.
    func perform(_ title: String, done: String, _ start: () async throws -> Started) async throws {
        if job.noWait { return try await leave(try await start()) }
        let view: any JobView = job.quiet || options.json ? SilentView() : viewForPeople()
        let follower = try await Follower(client, view)
        let begun = ContinuousClock.now
        let end = try await follower.follow(try await start(), title: title)
        if options.json { Terminal.line(JSON.text(of: end.properties, end.job), to: stream) }
        try end.check()
        if !options.json && !job.quiet { Terminal.line(printable(done + pace(end, ContinuousClock.now - begun)), to: stream) }
    }

    private func leave(_ started: Started) async throws {
        guard options.json else { return Terminal.line(started.job.description, to: stream) }
        let ended: Properties = ["Objects": .paths(started.objects), "State": .string("completed")]
        let properties = started.job == .root ? ended : try await client.properties(started.job, .job)
        Terminal.line(JSON.text(of: properties, started.job), to: stream)
    }

    /// ` 4 GiB in 5 s, 819 MiB/s.`, when that was long enough to be of interest.
    private func pace(_ end: JobEnd, _ duration: Duration) -> String {
        let bytes = end.properties.count("BytesDone")
        let seconds = duration / .seconds(1)
        guard bytes > 0, seconds >= 1, end.job != .root else { return "" }
        let rate = Sizes.describe(UInt64(Double(bytes) / seconds))
        return " \(Sizes.describe(bytes)) in \(describeSeconds(UInt64(seconds.rounded()))), \(rate)/s."
    }
}
