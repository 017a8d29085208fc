// SPDX-License-Identifier: LGPL-2.1-or-later

/// What an event or a job is about.
public enum ObjectReference: Sendable, Hashable {
    case pool(String)
    case volume(pool: String, name: String)
    case job(UInt64)
}

/// Everything the outside may know of a job at one moment.
public struct JobSnapshot: Sendable, Hashable {
    /// Where the job is in its life.
    public enum State: String, Sendable {
        case queued, running, completed, failed, cancelled

        /// Whether nothing more will happen.
        public var isFinished: Bool { self == .completed || self == .failed || self == .cancelled }
    }

    /// Never used again, not even after a restart.
    public let id: UInt64
    public let operation: Operation
    /// Microseconds since the epoch.
    public let startTime: UInt64
    /// Who asked for it.
    public let uid: UInt32
    public let objects: [ObjectReference]
    public var state: State = .queued
    /// One word for what it is doing: "writing", "syncing"; empty before it runs.
    public var phase = ""
    public var bytesDone: UInt64 = 0
    /// ``unknownSize`` if nobody can tell.
    public var bytesTotal = unknownSize
    /// Bytes a second, lately.
    public var rate: UInt64 = 0
    /// Microseconds since the epoch; 0 is unknown.
    public var expectedEndTime: UInt64 = 0
    public var cancellable = true
    public var result: [String: Value] = [:]
    /// Why it failed or was cancelled.
    public var error: StorageError?

    /// 0 to 1; -1 is unknown.
    public var progress: Double {
        if state == .completed { return 1 }
        guard bytesTotal != unknownSize, bytesTotal > 0 else { return -1 }
        return min(1, Double(bytesDone) / Double(bytesTotal))
    }

    /// A job that waits to run.
    public init(id: UInt64, operation: Operation, startTime: UInt64, uid: UInt32, objects: [ObjectReference]) {
        self.id = id
        self.operation = operation
        self.startTime = startTime
        self.uid = uid
        self.objects = objects
    }
}
