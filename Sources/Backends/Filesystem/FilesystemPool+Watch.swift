// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop
import Udev

extension FilesystemPool {
    /// Not where somebody has unmounted it while the device was there: that may have been meant.
    func mayReturn() async -> Bool {
        let answer = try? await blocking.run("look for pool \(pool)") {
            guard (try? device()) != nil else {
                state.withLock { $0.wasMissing = true }
                return false
            }
            let (number, wasMissing) = state.withLock { ($0.number, $0.wasMissing) }
            return try number == nil || wasMissing || isOurs()
        }
        return answer ?? false
    }

    func hints() async -> AsyncStream<Void> {
        let (hints, hint) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        // Where udev or the table of mounts cannot be watched, the pool is looked for from time to time, as any other.
        let device = try? await observers.devices.add(devicePath, on: blocking) { happening in
            if case .gone = happening { return }
            hint.yield()
        }
        let mounts = try? await observers.mounts.add { hint.yield() }
        hint.onTermination = { _ in withExtendedLifetime((device, mounts)) {} }
        return hints
    }

    func losses() async -> AsyncStream<String> {
        let (losses, loss) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingOldest(1))
        let (state, path, pool) = (state, devicePath, pool)
        let device = try? await observers.devices.add(path, on: blocking) { happening in
            guard case .gone(let number) = happening, state.withLock({ $0.number }) == number else { return }
            loss.yield("Device \(path) of pool \(pool) was removed; connect it again.")
        }
        let mounts = try? await observers.mounts.add {
            Task { if let why = await whyNotMounted() { loss.yield(why) } }
        }
        loss.onTermination = { _ in withExtendedLifetime((device, mounts)) {} }
        return losses
    }

    /// nil where the pool is mounted, and where nobody can tell.
    private func whyNotMounted() async -> String? {
        do throws(StorageError) {
            try await blocking.run("look at the mounts of pool \(pool)") { try check() }
            return nil
        } catch {
            return error.code == .busy || error.code == .unavailable ? error.message : nil
        }
    }
}
