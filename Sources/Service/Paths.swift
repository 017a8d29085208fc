// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern

/// Where objects are. Clients read paths from replies; only this file makes them.
enum Paths {
    static let manager: ObjectPath = "/org/cistern1"
    static let pools: ObjectPath = "/org/cistern1/pools"
    static let volumes: ObjectPath = "/org/cistern1/volumes"
    static let jobs: ObjectPath = "/org/cistern1/jobs"
    /// What a method answers that made no job.
    static let none: ObjectPath = "/"

    static func pool(_ name: String) -> ObjectPath { .encode(pools, name) }
    static func volumes(of pool: String) -> ObjectPath { .encode(volumes, pool) }
    static func volume(_ name: String, in pool: String) -> ObjectPath { .encode(volumes(of: pool), name) }
    static func volume(_ reference: VolumeReference?) -> ObjectPath {
        guard let reference else { return none }
        return volume(reference.name, in: reference.pool)
    }
    static func job(_ id: UInt64) -> ObjectPath { .encode(jobs, String(id)) }

    static func object(_ reference: ObjectReference) -> ObjectPath {
        switch reference {
        case .pool(let name): pool(name)
        case .volume(let pool, let name): volume(name, in: pool)
        case .job(let id): job(id)
        }
    }
}
