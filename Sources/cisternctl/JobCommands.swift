// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop

struct JobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job", abstract: "Jobs: long work that was started, by anyone.",
        subcommands: [JobList.self, JobWatch.self, JobWait.self, JobCancel.self])
}

struct JobList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists running jobs, and those that ended in the last minute.")
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let jobs = try await Client(options).objects(below: Client.jobs, .job)
            .sorted { ($0.path.description.count, $0.path) < ($1.path.description.count, $1.path) }
        if options.json { return Terminal.line(JSON.text(of: jobs)) }
        var table = Table(("JOB", .right), ("OPERATION", .left), ("STATE", .left), ("USER", .right), ("PROGRESS", .left))
        let now = microsecondsSinceEpoch()
        for job in jobs {
            let properties = job.properties
            let failed = properties.text("ErrorMessage")
            let progress = properties.text("State") == "running" ? Progress(properties).plain(now: now) : failed
            table.add(
                Client.number(of: job.path), properties.text("Operation"), properties.text("State"),
                "\(properties["StartedByUID"]?.unsigned ?? 0)",
                progress)
        }
        Terminal.lines(table.lines)
    }
}

struct JobWatch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "watch", abstract: "Shows how a job gets on until it ends.")
    @OptionGroup var options: GlobalOptions
    @Argument(help: "The job: its number or its path.") var job: String

    @LoopActor
    func run() async throws { try await followJob(job, options, quiet: false) }
}

struct JobWait: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "wait", abstract: "Waits until a job ends, and says how.")
    @OptionGroup var options: GlobalOptions
    @Argument(help: "The job: its number or its path.") var job: String

    @LoopActor
    func run() async throws { try await followJob(job, options, quiet: true) }
}

@LoopActor
private func followJob(_ job: String, _ options: GlobalOptions, quiet: Bool) async throws {
    let client = try Client(options)
    let follower = try await Follower(client, json: options.json)
    let path = try await client.job(job)
    let end = try await follower.follow(path, title: "job " + Client.number(of: path), quiet: quiet)
    if options.json { Terminal.line(JSON.text(of: end.properties, end.job)) }
    try end.check()
    if !options.json { Terminal.line(end.state) }
}

struct JobCancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "cancel", abstract: "Cancels a job; nothing half-made remains.")
    @OptionGroup var options: GlobalOptions
    @Argument(help: "The job: its number or its path.") var job: String

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        try await client.call(try await client.job(job), .job, "Cancel", Properties())
    }
}
