// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern
import EventLoop
import Logging

/// The record of who changed what, or was refused: one message for each change, all with one id, so that
/// `journalctl MESSAGE_ID=e0e2cf9a5c8c4b0fa6f0d7bd4e0b7f21` shows them.
@LoopActor struct Audit {
    /// Never changes.
    static let messageID = "e0e2cf9a5c8c4b0fa6f0d7bd4e0b7f21"

    let logger: Logger

    /// A change that took a job, which has ended.
    func record(_ job: JobSnapshot) {
        var metadata: Logger.Metadata = [
            "job": "\(job.id)", "uid": "\(job.uid)", "operation": "\(job.operation.rawValue)", "result": "\(job.state.rawValue)",
        ]
        for object in job.objects {
            switch object {
            case .pool(let name): metadata["pool"] = "\(name)"
            case .volume(let pool, let name): (metadata["pool"], metadata["volume"]) = ("\(pool)", "\(name)")
            case .job: break
            }
        }
        let about = job.objects.first.map { Paths.object($0).description } ?? ""
        write(
            job.state == .failed ? .warning : .info, "job \(job.id) (\(job.operation.rawValue) on \(about)) \(job.state.rawValue)",
            job.error?.message, metadata)
    }

    /// A change that was made, or refused, while its caller waited.
    func record(_ call: Call, about object: any Sendable, _ error: BusError?) async {
        let deed = Deed(call, about: object)
        let uid = (try? await call.uid()).map { "\($0)" } ?? "unknown"
        var metadata: Logger.Metadata = ["uid": "\(uid)", "result": "\(error?.name ?? "completed")"]
        for key in ["operation", "pool", "volume", "secret"] { metadata[key] = deed.details[key].map { "\($0)" } }
        write(
            error == nil ? .info : .notice, "\(deed.operation) on \(call.path) by user \(uid) \(error == nil ? "completed" : "failed")",
            error?.message, metadata)
    }

    private func write(_ level: Logger.Level, _ text: String, _ reason: String?, _ metadata: Logger.Metadata) {
        let metadata = metadata.merging(["message_id": "\(Self.messageID)"]) { $1 }
        logger.log(level: level, "\(text)\(reason.map { ": \($0)" } ?? "")", metadata: metadata)
    }
}
