// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Glibc

/// Names, and what others do to the files.
extension Torture {
    /// A name that nothing has or gets in this round.
    func freeName(in pool: PoolModel) -> String {
        var name = ""
        repeat { name = "v" + String(dice.number(0...9999)) } while pool.files[name] != nil || pool.taken.contains(name)
        pool.taken.insert(name)
        return name
    }

    /// A volume that nothing else is about in this round.
    func existing(in pool: PoolModel, resizable: Bool = false) -> (name: String, facts: FileFacts)? {
        let names = pool.files.keys.filter { !$0.hasPrefix("bystander") && !pool.taken.contains($0) }.sorted()
        guard let name = dice.pick(resizable ? names.filter { (pool.files[$0]?.capacity ?? 0) < 256 << 20 } : names) else { return nil }
        guard let facts = pool.files[name] else { return nil }
        pool.taken.insert(name)
        return (name, facts)
    }

    func newVolume(in pool: PoolModel) -> (name: String, facts: FileFacts, options: [String: Variant]) {
        var options: [String: Variant] = dice.percent(50) ? ["wait": .bool(true)] : [:]
        let size =
            switch dice.number(0...9) {
            case 0...6: UInt64(dice.number(1...4 << 20))
            case 7...8: UInt64(dice.number(8...16)) << 20
            default: UInt64(64 << 20)
            }
        var facts = FileFacts(capacity: size)
        switch dice.number(0...9) {
        case 0...2: break
        case 3...4:
            facts.reserved = size
            options["allocation"] = .string("falloc")
        case 5...7:
            facts.reserved = size
            options["allocation"] = .string("full")
        default:
            guard makesImages else { break }
            facts.kind = .qcow2
            facts.capacity = (size + 511) / 512 * 512
            options["format"] = .string("qcow2")
            if dice.percent(40) { options["allocation"] = .string(dice.percent(50) ? "metadata" : "full") }
        }
        return (freeName(in: pool), facts, options)
    }

    func creation(_ name: String, _ facts: FileFacts, _ options: [String: Variant], in pool: PoolModel) -> Cell {
        let kind = (options["format"]?.text ?? "raw") + " " + (options["allocation"]?.text ?? "sparse")
        let cell = Cell(
            "create \(name), \(kind), \(facts.capacity) bytes", "Pool.CreateVolume", pool, name, before: [name: absent],
            after: [name: facts])
        cells.append(cell)
        return cell
    }

    static func create(
        _ client: Connection, _ pool: PoolModel, _ name: String, _ facts: FileFacts, _ options: [String: Variant]
    ) async throws -> ObjectPath {
        let (_, job) = try await client.call(
            Harness.service, pool.object, Harness.poolInterface, "CreateVolume", name, facts.capacity, options,
            returning: ObjectPath.self, ObjectPath.self)
        return job
    }

    // MARK: - Others

    /// Makes a file with content; nil if the name is taken.
    func putFile(_ name: String, in pool: PoolModel, size: Int, seed: UInt64? = nil) -> FileFacts? {
        let seed = seed ?? dice.next()
        let descriptor = open(pool.path(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let bytes = content(seed, min(size, 40_000))
        _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if size > bytes.count { ftruncate(descriptor, size) }
        let facts = FileFacts(capacity: UInt64(size), seed: seed, known: bytes.count)
        pool.files[name] = facts
        return facts
    }

    /// A file comes, goes or changes its name without Cistern.
    func outside(in pool: PoolModel) {
        switch dice.number(0...2) {
        case 0:
            let name = freeName(in: pool)
            _ = putFile(name, in: pool, size: dice.number(1...40_000))
        case 1:
            guard pool.files.count > 16, let (name, _) = existing(in: pool) else { return }
            unlink(pool.path(name))
            pool.files[name] = nil
        default:
            guard let (name, facts) = existing(in: pool) else { return }
            let new = freeName(in: pool)
            guard rename(pool.path(name), pool.path(new)) == 0 else { return }
            pool.files[name] = nil
            pool.files[new] = facts
        }
    }

    /// Gives the files that are new something to be known by.
    func stamp() {
        for pool in pools {
            for (name, facts) in pool.files where facts.kind == .raw && facts.seed == nil {
                let seed = dice.next()
                let count = Int(min(facts.capacity, 4096))
                let descriptor = open(pool.path(name), O_WRONLY | O_CLOEXEC | O_NOFOLLOW)
                guard descriptor >= 0 else { continue }
                defer { close(descriptor) }
                let bytes = content(seed, count)
                guard bytes.withUnsafeBytes({ pwrite(descriptor, $0.baseAddress, $0.count, 0) }) == count else { continue }
                pool.files[name]?.seed = seed
                pool.files[name]?.known = count
            }
        }
    }
}
