// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern
import EventLoop

extension Interfaces {
    static let job = Interface<JobObject>("org.cistern1.Job", "Something that takes longer than a moment.") {
        Property("Operation", .constant, "What is done: Pool.Build, Volume.Resize, ...") { $0.snapshot.operation.rawValue }
        Property("StartTime", .constant, "Microseconds since the epoch.") { $0.snapshot.startTime }
        Property("StartedByUID", .constant, "Who asked for it.") { $0.snapshot.uid }
        Property("Objects", .constant, "Pools and volumes it is about.") { $0.snapshot.objects.map(Paths.object) }
        Property("State", .changes, "queued, running, completed, failed or cancelled.") { $0.snapshot.state.rawValue }
        Property("Phase", .changes, "One word for what it does now; more may come.") { $0.snapshot.phase }
        Property("BytesDone", .changes, "Bytes done.") { $0.snapshot.bytesDone }
        Property("BytesTotal", .changes, "Bytes to do; 2^64-1 if unknown.") { $0.snapshot.bytesTotal }
        Property("Progress", .changes, "0 to 1; -1 if unknown.") { $0.snapshot.progress }
        Property("Rate", .changes, "Bytes a second, lately.") { $0.snapshot.rate }
        Property("ExpectedEndTime", .changes, "Microseconds since the epoch; 0 if unknown.") { $0.snapshot.expectedEndTime }
        Property("Cancellable", .changes, "Whether Cancel would be accepted now.") { $0.snapshot.cancellable }
        Property("Result", .changes, "What is worth knowing of how it went: method, fallback-reason, ...") { $0.snapshot.result.variants }
        Property("Error", .changes, "D-Bus error name, if it did not complete.") { $0.snapshot.error?.code.busName ?? "" }
        Property("ErrorMessage", .changes, "Why it did not complete.") { $0.snapshot.error?.message ?? "" }

        Method(
            "Cancel", "Asks the job to stop and to undo; its starter may, and who may cancel others' jobs.", options: [:],
            allow: .decidedByObject, call: JobObject.cancel)
        Method(
            "Wait", "Replies when the job has ended: with Result, or with its error.", gives: "result", options: [:], allow: .everyone,
            call: JobObject.wait)
    }
}

/// `/org/cistern1/jobs/N` as it was last announced.
@LoopActor struct JobObject: Sendable {
    let face: Face
    let job: Job
    let snapshot: JobSnapshot

    init(face: Face, job: Job, snapshot: JobSnapshot) {
        self.face = face
        self.job = job
        self.snapshot = snapshot
    }

    func cancel(_ options: Options) async throws {
        if try await face.caller() != snapshot.uid { try await face.require(.jobCancelOthers, about: self) }
        try job.cancel()
    }

    func wait(_ options: Options) async throws -> [String: Variant] {
        let end = await job.wait()
        await face.catchUp()
        if let error = end.error { throw error }
        return end.result.variants
    }
}
