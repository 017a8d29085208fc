// SPDX-License-Identifier: LGPL-2.1-or-later
import ArgumentParser
import Bus
import EventLoop
import Glibc

/// Which part of a volume.
struct RangeOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Where in the volume to begin.", valueName: "size")) var offset: Size?
    @Option(help: ArgumentHelp("How much at most; to the end without it.", valueName: "size")) var length: Size?

    func validate() throws {
        if length?.bytes == 0 { throw ValidationError("--length wants more than nothing.") }
    }
}

struct VolumeUpload: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upload", abstract: "Writes a file's content into a volume.",
        discussion: "Example: xzcat disk.img.xz | cisternctl volume upload images disk.img - --yes")
    @OptionGroup var job: JobOptions
    @OptionGroup var confirmation: Confirmation
    @OptionGroup var volume: VolumeArgument
    @Argument(help: "The file; - is standard input.", completion: .file()) var file: String
    @OptionGroup var range: RangeOptions
    @OptionGroup var options: GlobalOptions

    @LoopActor
    func run() async throws {
        let performer = try Performer(options, job)
        let client = performer.client
        let object = try await client.volume(volume)
        let source = try await openToRead(file)
        // Into what holds nothing yet anybody may write without being asked.
        if object.properties.number("Allocation") > 0 {
            try await confirm("Write over it?", losing: try await client.losses(object, volume.name), confirmation)
        }
        try await performer.perform(volume.volume, done: "\(file == "-" ? "Standard input" : file) is in volume \(volume.volume).") {
            try await client.start(
                object.path, .volume, "Upload", source, range.offset?.bytes ?? 0, range.length?.bytes ?? 0, object.keyed())
        }
    }
}

struct VolumeDownload: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "download", abstract: "Writes a volume's data into a new file.",
        discussion: """
            The file is removed again unless it is complete.

            Example: cisternctl volume download images disk.img disk.img
            """)
    @OptionGroup var job: JobOptions
    @OptionGroup var volume: VolumeArgument
    @Argument(help: "The file; - is standard output.", completion: .file()) var file: String
    @OptionGroup var range: RangeOptions
    @Flag(help: "Replace the file if it exists; write to a device, or to the terminal.") var force = false
    @OptionGroup var options: GlobalOptions

    func validate() throws {
        if force && job.noWait { throw ValidationError("With --no-wait nobody is there to replace the file at the end.") }
        guard file == "-", !force, Terminal.outputIsTerminal else { return }
        throw ValidationError("The data would be written to the terminal; name a file, or pass --force.")
    }

    @LoopActor
    func run() async throws {
        var performer = try Performer(options, job)
        if file == "-" { performer.stream = .messages }
        let client = performer.client
        let object = try await client.volume(volume)
        let target = try await DownloadTarget.open(file, force: force)
        do {
            try await performer.perform(volume.volume, done: "Volume \(volume.volume) is in \(file == "-" ? "standard output" : file).") {
                try await client.start(
                    object.path, .volume, "Download", target.descriptor, range.offset?.bytes ?? 0, range.length?.bytes ?? 0,
                    object.keyed())
            }
        } catch let error as JobGoesOn {
            let failure = error.failure
            throw Failure(failure.status, "\(failure.message) Its data goes on into \(target.path).")
        } catch {
            target.remove()
            throw error
        }
        try target.complete()
    }
}

/// Where a download goes. A file that exists is replaced when all of the new one is there.
private struct DownloadTarget {
    let descriptor: UnixDescriptor
    /// What is written, and what it shall be called in the end.
    let path: String
    private let finalPath: String
    /// A regular file that we made.
    private let isOurs: Bool

    /// Away from the event loop: opening a pipe waits for its reader.
    @concurrent
    static func open(_ file: String, force: Bool) async throws -> DownloadTarget { try DownloadTarget(file, force: force) }

    private init(_ file: String, force: Bool) throws {
        finalPath = file
        if file == "-" {
            (descriptor, path, isOurs) = (try UnixDescriptor(duplicating: STDOUT_FILENO), "standard output", false)
            return
        }
        var status = stat()
        let exists = force && stat(file, &status) == 0
        isOurs = !exists || status.st_mode & S_IFMT == S_IFREG
        path = exists && isOurs ? "\(file).part-\(getpid())" : file
        let opened = isOurs ? Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600) : Glibc.open(path, O_WRONLY | O_CLOEXEC)
        guard opened >= 0 else {
            let advice = errno == EEXIST ? "it exists; --force replaces it" : SystemError.last.text
            throw Failure(.failed, "\(path) cannot be made: \(advice).")
        }
        descriptor = UnixDescriptor(adopting: opened)
    }

    func complete() throws {
        guard path != finalPath, isOurs else { return }
        guard rename(path, finalPath) == 0 else {
            throw Failure(.failed, "\(finalPath) cannot be replaced: \(SystemError.last.text); the data is in \(path).")
        }
    }

    func remove() { if isOurs { unlink(path) } }
}
