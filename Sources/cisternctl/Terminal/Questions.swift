// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc

/// Tells what will be lost and asks whether to go on; no is what Enter says. Nobody there to ask is a usage error that names `--yes`.
///
/// Waits for the answer away from the event loop, which has Ctrl-C to serve.
@concurrent
func confirm(_ question: String, losing losses: [String] = [], _ confirmation: Confirmation) async throws {
    if confirmation.yes { return }
    guard Terminal.canAsk else {
        throw Failure(.usage, (losses + [question]).joined(separator: " ") + " There is no terminal to ask on: pass --yes.")
    }
    Terminal.lines(losses.map(printable), to: .messages)
    Terminal.text(printable(question) + " [y/N] ", to: .messages)
    let answer = readLine()?.lowercased() ?? ""
    guard answer == "y" || answer == "yes" else { throw Failure(.failed, "Nothing was changed.") }
}

extension Client {
    /// What there is to know before a volume's data is lost: how much, who stands on it, who uses it.
    func losses(_ volume: Object, _ name: VolumeName) async throws -> [String] {
        let properties = volume.properties
        let format = properties.text("Format").isEmpty ? "" : properties.text("Format") + ", "
        var lines = [
            "Volume \(name): \(format)\(properties.size("Capacity")), \(properties.size("Allocation")) of it in use, \(properties.text("Path"))."
        ]
        let dependents = properties["Dependents"]?.paths ?? []
        if !dependents.isEmpty { lines.append("Overlays that need it: \(dependents.map { describe($0) }.joined(separator: ", ")).") }
        let holders = await holders(of: volume)
        if !holders.isEmpty { lines.append("In use by: \(holders.joined(separator: ", ")).") }
        return lines
    }

    /// Who uses a volume, as far as the service can tell.
    private func holders(of volume: Object) async -> [String] {
        let reply = try? await call(volume.path, .volume, "GetHolders", volume.keyed(), returning: [Properties].self)
        return (reply ?? []).map(describeHolder)
    }
}

/// `qemu-system-x86 (process 4711)`.
func describeHolder(_ holder: Properties) -> String {
    let what = [holder.text("command"), holder["object"]?.path.map { describe($0) } ?? "", holder.text("path"), holder.text("kind")]
    let name = what.first { !$0.isEmpty } ?? "somebody"
    return holder["pid"]?.unsigned.map { "\(name) (process \($0))" } ?? name
}

/// An object as people name it: `pool images`, `volume images/big`, `job 12`.
func describe(_ path: ObjectPath) -> String {
    if let pool = ObjectPath.decode(path, below: Client.pools) { return "pool \(pool)" }
    if let job = ObjectPath.decode(path, below: Client.jobs) { return "job \(job)" }
    if let pool = ObjectPath.decode(path.parent, below: Client.volumes), let volume = ObjectPath.decode(path, below: path.parent) {
        return "volume \(pool)/\(volume)"
    }
    return path.description
}
