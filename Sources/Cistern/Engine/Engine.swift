// SPDX-License-Identifier: LGPL-2.1-or-later

/// The table of pools, and what is common to them: definitions, jobs, events.
public actor Engine {
    /// How a pool is to be defined.
    public struct DefineOptions: Sendable {
        /// Start with the machine.
        public var autostart = false
        /// Nothing on disk; forgotten when the pool stops.
        public var transient = false
        /// An inactive pool of that name may be there; its UUID stays.
        public var replace = false
        /// Only check.
        public var validateOnly = false

        /// None of them.
        public init() {}
    }

    /// What the outside should know, in order.
    public nonisolated let events = EventQueue()
    /// The pool types of this machine, by name.
    public nonisolated let types: [String: PoolType]
    /// All jobs.
    public nonisolated let jobs: JobTable
    private let definitions: any DefinitionStore
    private let environment: Environment
    private nonisolated let chains = BackingChains()
    private var table: [String: Pool] = [:]
    /// Names whose definition is being written or removed right now.
    private var changing: Set<String> = []
    /// What active pools stand on.
    private var identities: [String: String] = [:]
    private var interrupted: [JournalEntry] = []

    /// An engine without pools; see ``open()``.
    public init(
        types: [String: PoolType], definitions: any DefinitionStore, journal: any JobJournal, environment: Environment
    ) {
        self.types = types
        self.definitions = definitions
        self.environment = environment
        jobs = JobTable(journal: journal, events: events, environment: environment)
    }

    /// Reads definitions and journal; touches no pool. A definition that cannot be used is told of and left where it is.
    public func open() async throws(StorageError) {
        let stored = try await definitions.load()
        for file in stored.unreadable { note("", "ignoring definition \(file.entry): \(file.reason)") }
        for (name, xml) in stored.xml.sorted(by: { $0.key < $1.key }) {
            do throws(StorageError) {
                var definition = try PoolDefinition.parse(xml: xml).definition
                guard definition.name == name else {
                    throw StorageError(.invalidXML, "it names the pool \(definition.name)")
                }
                definition.complete()
                try check(definition, DefineOptions())
                let pool = try makePool(definition, persistent: true)
                await pool.restore(autostart: stored.autostart.contains(name))
                await pool.announce()
            } catch {
                note(name, "ignoring the definition of pool \(name): \(error.message)")
            }
        }
        wasActive = stored.active
        autostarts = stored.autostart
        interrupted = try await jobs.open()
    }

    private var wasActive: Set<String> = []
    private var autostarts: Set<String> = []

    /// Finishes or undoes what a crash interrupted, then starts the pools that are to be active. Returns at once.
    public func begin() async {
        var starting = wasActive
        do throws(StorageError) {
            if try await definitions.claimBoot() { starting = autostarts }
        } catch {
            note("", "ignoring autostart: \(error.message)")
        }
        let unfinished = Dictionary(grouping: interrupted, by: \.pool)
        interrupted = []
        for (name, entries) in unfinished {
            let pool = table[name]
            for entry in entries {
                let job = await recover(entry, pool)
                await pool?.waitBeforeStart(for: job)
            }
        }
        for name in starting.sorted() {
            guard let pool = table[name] else { continue }
            Task {
                do throws(StorageError) {
                    let job = try await pool.start(by: 0, persistently: true)
                    job?.release()
                    if let error = await job?.wait().error { throw error }
                } catch {
                    note(name, "pool \(name) could not be started: \(error.message)")
                }
            }
        }
    }

    /// Stops all jobs and everything that runs unasked; pools and their data stay as they are.
    public func shutDown() async {
        await jobs.cancelAll()
        for pool in table.values { await pool.abandon() }
    }

    // MARK: - Looking up

    /// All pools.
    public var pools: [Pool] { Array(table.values) }

    /// The pool of that name.
    public func pool(_ name: String) throws(StorageError) -> Pool {
        guard let pool = table[name] else {
            throw StorageError(.notFound, "There is no pool \(name); see the list of pools.")
        }
        return pool
    }

    /// The volume of an active pool that has its data at a path, as the pool spells it.
    public nonisolated func volume(at path: String) -> VolumeReference? { chains.volume(at: path) }

    /// The pool type of that name.
    ///
    /// - Throws: `invalidArguments` if there is none.
    public nonisolated func type(_ name: String) throws(StorageError) -> PoolType {
        if let type = types[name] { return type }
        throw StorageError(.invalidArguments, "There is no pool type “\(name)”; there are \(types.keys.sorted().joined(separator: ", ")).")
    }

    // MARK: - Defining

    /// Defines a pool.
    ///
    /// - Parameter definition: its `uuid` may be empty, then one is made.
    /// - Returns: the pool; nil if the definition was only to be checked.
    /// - Throws: `invalidArguments`, `exists`, `notSupported`, `busy`.
    public func define(_ definition: PoolDefinition, _ options: DefineOptions) async throws(StorageError) -> Pool? {
        var definition = definition
        definition.complete()
        try check(definition, options)
        let old = table[definition.name]
        if let old {
            guard options.replace else {
                throw StorageError(.exists, "There is a pool \(definition.name) already; give option “replace” to define it anew.")
            }
            try await old.requireInactive("defined anew")
            if definition.uuid.isEmpty { definition.uuid = old.snapshot.definition.uuid }
        }
        if definition.uuid.isEmpty { definition.uuid = environment.makeUUID() }
        if let other = table.values.first(where: { $0.snapshot.definition.uuid == definition.uuid }), other.name != definition.name {
            throw StorageError(.exists, "Pool \(other.name) already has the UUID \(definition.uuid); leave it out to get a new one.")
        }
        let type = try self.type(definition.type)
        let backend = try type.make(definition)
        if options.validateOnly { return nil }
        guard changing.insert(definition.name).inserted else {
            throw StorageError(.busy, "Pool \(definition.name) is being defined or undefined by somebody else; try again.")
        }
        defer { changing.remove(definition.name) }
        if !options.transient {
            try await definitions.save(definition.name, xml: definition.xml())
            if options.autostart { try await definitions.setAutostart(definition.name, true) }
        }
        if let old {
            await old.redefine(definition, type: type, backend: backend)
            if options.autostart { await old.restore(autostart: true) }
            return old
        }
        let pool = try makePool(definition, persistent: !options.transient)
        await pool.restore(autostart: options.autostart && !options.transient)
        await pool.announce()
        return pool
    }

    /// Forgets an inactive pool; its data stays.
    public func undefine(_ name: String) async throws(StorageError) {
        let pool = try pool(name)
        guard changing.insert(name).inserted else {
            throw StorageError(.busy, "Pool \(name) is being defined or undefined by somebody else; try again.")
        }
        defer { changing.remove(name) }
        guard await pool.holdForRemoval() else {
            throw StorageError(.busy, "Pool \(name) is \(pool.snapshot.state.rawValue); stop it before it is undefined.")
        }
        do throws(StorageError) {
            try await definitions.remove(name)
        } catch {
            await pool.releaseFromRemoval()
            throw error
        }
        forget(name)
    }

    /// What pools of a type could be made of: the settings of each.
    ///
    /// - Parameters:
    ///   - place: settings that say where to look, or what each source must have.
    ///   - timeout: how long looking may take.
    /// - Throws: `notSupported` if the type knows no way to look; `timedOut`; `invalidArguments`.
    public nonisolated func findSources(of type: String, at place: [String: Value], within timeout: Duration)
        async throws(StorageError) -> [[String: Value]]
    {
        let type = try self.type(type)
        guard let findSources = type.findSources else {
            let why = type.capabilities[.poolFindSources] ?? ""
            throw StorageError(
                .notSupported,
                "What pools of type \(type.name) could be made of cannot be looked for: \(why); name what the pool is to stand on yourself."
            )
        }
        return try await findSources(place, timeout)
    }

    private func check(_ definition: PoolDefinition, _ options: DefineOptions) throws(StorageError) {
        try checkName(definition.name, of: "pool")
        let type = try self.type(definition.type)
        for (key, value) in definition.settings.sorted(by: { $0.key < $1.key }) {
            guard let signature = type.settings[key] else {
                throw StorageError(
                    .invalidArguments,
                    "Pools of type \(type.name) have no setting “\(key)”; they have \(type.settings.keys.sorted().joined(separator: ", "))."
                )
            }
            guard signature == value.signature else {
                throw StorageError(
                    .invalidArguments,
                    "Setting “\(key)” of pool \(definition.name) must be of D-Bus type \(signature), not \(value.signature).")
            }
        }
        for key in type.required.sorted() where definition.settings[key] == nil {
            throw StorageError(.invalidArguments, "Pool \(definition.name) of type \(type.name) needs the setting “\(key)”; add it.")
        }
        try definition.check()
        if options.transient, options.autostart {
            throw StorageError(.invalidArguments, "A transient pool cannot start by itself; choose “transient” or “autostart”.")
        }
    }

    // MARK: - Inside

    private func makePool(_ definition: PoolDefinition, persistent: Bool) throws(StorageError) -> Pool {
        let type = try self.type(definition.type)
        let context = PoolContext(
            jobs: jobs, events: events, environment: environment, definitions: definitions, chains: chains,
            relink: { [self] (pool, volumes) in Task { await relink(volumes, in: pool) } },
            hold: { [self] (volume, key) async throws(StorageError) in try await holdVolume(volume, key) },
            release: { [self] volume in await releaseVolume(volume) },
            claimIdentity: { [self] (identity, pool) async throws(StorageError) in try await claim(identity, for: pool) },
            releaseIdentity: { [self] pool in await release(pool) },
            forgetTransient: { [self] pool in await forget(pool) })
        let pool = Pool(definition, type: type, backend: try type.make(definition), persistent: persistent, context: context)
        table[definition.name] = pool
        return pool
    }

    private func recover(_ entry: JournalEntry, _ pool: Pool?) async -> Job {
        await jobs.resume(entry) { (progress) async throws(StorageError) in
            if let outcome = entry.outcome { return try outcome.get() }
            progress.phase("recovering", cancellable: false)
            if try await pool?.recover(entry.notes) == true { return }
            throw StorageError(
                .interrupted, "\(entry.operation.rawValue) was interrupted when the service ended, and has been undone; start it again.")
        }
    }

    private func claim(_ identity: String, for pool: String) throws(StorageError) {
        if let other = identities.first(where: { $0.value == identity })?.key, other != pool {
            throw StorageError(
                .exists, "Pool \(pool) stands on the same storage as the active pool \(other); stop or undefine one of them.")
        }
        identities[pool] = identity
    }

    private func release(_ pool: String) { identities[pool] = nil }

    private func relink(_ volumes: Set<String>, in pool: String) async { await table[pool]?.relink(volumes) }

    private func holdVolume(_ volume: VolumeReference, _ key: String?) async throws(StorageError) -> Volume {
        try await pool(volume.pool).hold(volume.name, key: key)
    }

    private func releaseVolume(_ volume: VolumeReference) async { await table[volume.pool]?.release(volume.name) }

    private func forget(_ name: String) {
        guard table.removeValue(forKey: name) != nil else { return }
        identities[name] = nil
        events.emit(.poolRemoved(name))
    }

    private nonisolated func note(_ pool: String, _ text: String) { events.emit(.notice(pool: pool, text)) }
}
