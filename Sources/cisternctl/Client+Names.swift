// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop

/// Objects by the names that people give them. A name that nobody has is an error that suggests near ones.
extension Client {
    func pool(_ name: String) async throws -> ObjectPath {
        try await suggesting({ try await self.poolNames().values.map { $0 } }, near: name) {
            try await self.call(Self.root, .manager, "GetPool", name, Properties(), returning: ObjectPath.self)
        }
    }

    func poolObject(_ name: String) async throws -> Object {
        let path = try await pool(name)
        return Object(path: path, properties: try await properties(path, .pool))
    }

    func volume(_ name: VolumeName) async throws -> Object {
        let pool = try await pool(name.pool)
        let path = try await suggesting({ try await self.volumeNames(in: pool) }, near: name.volume) {
            try await self.call(pool, .pool, "GetVolume", name.volume, Properties(), returning: ObjectPath.self)
        }
        return Object(path: path, properties: try await properties(path, .volume))
    }

    /// The volume of a command line; refused if it is not the one with the key given.
    func volume(_ argument: VolumeArgument) async throws -> Object {
        let volume = try await volume(argument.name)
        if let key = argument.key, key != volume.properties.text("Key") {
            throw Failure(.failed, "Volume \(argument.name) is not the one with the key \(key); look it up again.")
        }
        return volume
    }

    /// Names of pools by their paths.
    func poolNames() async throws -> [ObjectPath: String] {
        Dictionary(try await objects(below: Self.pools, .pool).map { ($0.path, $0.properties.text("Name")) }) { $1 }
    }

    /// Names of the volumes of a pool; of the first ten thousand, which is as many as anybody could mistype.
    func volumeNames(in pool: ObjectPath) async throws -> [String] {
        try await volumes(where: ["Pool": .path(pool)], fields: ["Name"], limit: 10_000).map { $0.properties.text("Name") }
    }

    private func suggesting<T>(
        _ names: () async throws -> [String], near name: String, _ look: () async throws -> T
    ) async throws -> T {
        do {
            return try await look()
        } catch let error as BusError where error.name == "org.cistern1.Error.NotFound" {
            let near = nearest(to: name, of: (try? await names()) ?? [])
            guard !near.isEmpty else { throw error }
            throw BusError(error.name, "\(error.message) Did you mean \(near.joined(separator: " or "))?")
        }
    }
}

extension Object {
    /// Options that bind a call to this very volume, whatever has its name meanwhile.
    func keyed(_ options: Properties = [:]) -> Properties {
        let key = properties.text("Key")
        return key.isEmpty ? options : options.merging(["key": .string(key)]) { $1 }
    }
}

/// At most three names that a typing error or two are between; the nearest first.
func nearest(to name: String, of names: [String]) -> [String] {
    let wanted = Array(name.lowercased())
    let limit = max(1, min(3, wanted.count / 3))
    let distances = names.map { (distance(wanted, Array($0.lowercased())), $0) }
    return distances.filter { $0.0 <= limit }.sorted { $0 < $1 }.prefix(3).map(\.1)
}

/// How many letters must be put in, left out, replaced or swapped with their neighbours.
private func distance(_ left: [Character], _ right: [Character]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for row in left.indices {
        var current = [row + 1]
        for column in right.indices {
            let replaced = last[column] + (left[row] == right[column] ? 0 : 1)
            var best = min(replaced, last[column + 1] + 1, current[column] + 1)
            if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                best = min(best, beforeLast[column - 1] + 1)
            }
            current.append(best)
        }
        (beforeLast, last) = (last, current)
    }
    return last[right.count]
}
