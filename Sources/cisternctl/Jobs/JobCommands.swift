// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop

struct JobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job", abstract: "Jobs: long work that was started, by anyone.",
        subcommands: [JobList.self, JobWatch.self, JobWait.self, JobCancel.self])
}

/// A job on the command line.
struct JobArgument: ParsableArguments {
    @Argument(help: "The job: its number or its path.", completion: Completion.jobs)
    var job: String
}

struct JobList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists running jobs, and those that ended in the last minute.",
        discussion: "Example: cisternctl job list")
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let jobs = try await Client(options).objects(below: Client.jobs, .job)
            .sorted { ($0.path.description.count, $0.path) < ($1.path.description.count, $1.path) }
        if options.json { return Terminal.line(JSON.text(of: jobs)) }
        var table = Table(
            ("JOB", .right), ("OPERATION", .left), ("OBJECT", .left), ("STATE", .left), ("USER", .right), ("STARTED", .left),
            ("PROGRESS", .left))
        let now = microsecondsSinceEpoch()
        for job in jobs {
            let properties = job.properties
            let state = properties.text("State")
            let progress = ["running", "queued"].contains(state) ? Progress(properties).plain(now: now) : properties.text("ErrorMessage")
            table.add(
                Cell(Client.number(of: job.path)), Cell(properties.text("Operation")),
                Cell((properties["Objects"]?.paths ?? []).map { describe($0) }.joined(separator: ", ")), .state(state),
                "\(properties.count("StartedByUID"))", Cell(describeTime(properties.count("StartTime"), format: "%H:%M:%S")),
                Cell(progress))
        }
        Terminal.lines(table.lines(options.palette))
    }
}

struct JobWatch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Shows how a job gets on until it ends.",
        discussion: "With --json a line of JSON for each change.\n\nExample: cisternctl job watch 12")
    @OptionGroup var job: JobArgument
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let view: any JobView = options.json ? JSONView() : viewForPeople()
        try await followJob(job.job, options, view)
    }
}

struct JobWait: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait", abstract: "Waits until a job ends, and says how.",
        discussion: "Exit code 0 if it completed, else 1.\n\nExample: cisternctl job wait 12")
    @OptionGroup var job: JobArgument
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws { try await followJob(job.job, options, SilentView()) }
}

@LoopActor
private func followJob(_ job: String, _ options: GlobalOptions, _ view: any JobView) async throws {
    let client = try Client(options)
    let follower = try await Follower(client, view)
    let path = try await client.job(job)
    let end = try await follower.follow(Started(job: path, objects: []), title: describe(path))
    if options.json { Terminal.line(JSON.text(of: end.properties, end.job)) }
    try end.check()
    if !options.json { Terminal.line("Job \(Client.number(of: path)) has \(end.state).") }
}

struct JobCancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Cancels a job; nothing half-made remains.",
        discussion: "It is asked to stop; `job wait` waits until it has.\n\nExample: cisternctl job cancel 12")
    @OptionGroup var job: JobArgument
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let client = try Client(options)
        let path = try await client.job(job.job)
        try await client.call(path, .job, "Cancel", Properties())
        if options.json { return Terminal.line(JSON.text(of: try await client.properties(path, .job), path)) }
        Terminal.line("Job \(Client.number(of: path)) was asked to stop.")
    }
}
