// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Foundation
import TestSupport
import Testing

@Suite struct ConnectionTests {
    @Test func aNameHasOneOwner() async throws {
        let stage = try await Stage.set()
        let error = await failure { try await stage.client.requestName(Stage.name) }
        #expect(error?.name == "org.freedesktop.DBus.Error.AddressInUse")
        #expect(error?.message.contains("process \(getpid()) of user \(getuid())") == true, "\(error?.message ?? "")")
        try await stage.service.requestName(Stage.name)  // again, by its owner
        try await stage.service.releaseName(Stage.name)
        try await stage.client.requestName(Stage.name)
        #expect(await failure { try await stage.client.requestName("no name") } != nil)
    }

    @Test func noBusIsAnError() async throws {
        Loop.shared.startThread()
        let error = await failure { _ = try Connection.open(.custom("unix:path=/nonexistent/bus"), description: "x") }
        #expect(error?.name == "org.freedesktop.DBus.Error.Disconnected")
        #expect(error?.message == "cannot reach the bus at unix:path=/nonexistent/bus: No such file or directory")
        #expect(await failure { _ = try Connection.open(.custom("nonsense"), description: "x") } != nil)
    }

    @Test func theEndOfTheBusIsNoticed() async throws {
        let stage = try await Stage.set()
        let signals = try await stage.client.signals(interface: "org.example1.Shelf")
        let call = Task { @LoopActor in
            try await stage.client.call(Stage.name, "/", "org.freedesktop.DBus.Peer", "Ping", timeout: .seconds(100))
        }
        await withCheckedContinuation { continuation in
            Task { @LoopActor in
                stage.client.onDisconnect = { continuation.resume() }
                kill(stage.bus.process, SIGKILL)
            }
        }
        _ = await call.result
        for await _ in signals {}
        #expect(await failure { _ = try await stage.get("/", "Name") }?.name == "org.freedesktop.DBus.Error.Disconnected")
        await stage.server.remove("/")  // must not trap
        await stage.client.close()
        await stage.client.close()
    }

    @Test func signalsAreFiltered() async throws {
        let stage = try await Stage.set()
        let exact = try await stage.client.signals(path: "/a", interface: "org.example1.I", member: "Two")
        let below = try await stage.client.signals(pathNamespace: "/a")
        try await stage.service.emit("/a", "org.example1.I", "One", UInt32(1))
        try await stage.service.emit("/a/b", "org.example1.I", "Two", UInt32(2))
        try await stage.service.emit("/ab", "org.example1.I", "Two", UInt32(3))
        try await stage.service.emit("/a", "org.example1.I", "Two", UInt32(4))
        #expect(await next(exact)?.body == [.uint32(4)])
        var seen: [Variant] = []
        for await signal in below {
            seen += signal.body
            if seen.count == 3 { break }
        }
        #expect(seen == [.uint32(1), .uint32(2), .uint32(4)])
        #expect(await failure { _ = try await stage.client.signals(member: "x'y") } != nil)
    }

    @Test func droppedStreamsAreForgottenByTheBus() async throws {
        let stage = try await Stage.set()
        for _ in 0..<3 {
            let signals = try await stage.client.signals(interface: "org.example1.I")
            let reader = Task { for await _ in signals {} }
            reader.cancel()
            await reader.value
        }
        // One that is left still gets what is sent.
        let last = try await stage.client.signals(interface: "org.example1.I")
        try await stage.service.emit("/", "org.example1.I", "S")
        #expect(await next(last)?.member == "S")
    }

    @Test func descriptorsTravelAndDoNotLeak() async throws {
        let stage = try await Stage.set()
        await stage.server.export(Shelf(), at: Stage.root, [Shelf.interface])
        var template = Array("/tmp/cistern-test-XXXXXX".utf8CString)
        let file = UnixDescriptor(adopting: mkstemp(&template))
        ftruncate(file.descriptor, 12_345)
        let name = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(file.descriptor)")
        for _ in 0..<100 {
            #expect(try await stage.call(Stage.root, "Measure", file, returning: Int64.self) == 12_345)
        }
        for _ in 0..<20 {
            let wrong = await failure { _ = try await stage.call(Stage.root, "Echo", file, returning: String.self) }
            #expect(wrong?.name == "org.freedesktop.DBus.Error.InvalidArgs")
        }
        _ = try await stage.call(Stage.root, "Open", returning: UnixDescriptor.self)
        let isOnlyOurs = await eventually {
            let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
            return all.filter { (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == name }.count == 1
        }
        #expect(isOnlyOurs)
        unlink(name)
    }

    @Test func largeTextsAreHandledAndTheirMemoryGivenBack() async throws {
        let stage = try await Stage.set()
        await stage.server.export(Shelf(), at: Stage.root, [Shelf.interface])
        let before = residentMiB()
        for _ in 0..<3 {
            let length = try await stage.call(
                Stage.root, "Length", String(repeating: "x", count: 30 << 20), returning: UInt64.self)
            #expect(length == 30 << 20)
        }
        let tooLarge = await failure {
            _ = try await stage.call(Stage.root, "Length", String(repeating: "x", count: 33 << 20), returning: UInt64.self)
        }
        #expect(tooLarge?.name == "org.freedesktop.DBus.Error.LimitsExceeded")
        let tooLargeReply = await failure { _ = try await stage.call(Stage.root, "Large", UInt64(33 << 20), returning: String.self) }
        #expect(tooLargeReply?.name == "org.freedesktop.DBus.Error.LimitsExceeded")
        #expect(try await stage.call(Stage.root, "Echo", "still connected", returning: String.self) == "still connected")
        // Other tests run at the same time, hence the margin; one text kept would be 30.
        #expect(await eventually { residentMiB() < before + 25 }, "\(before) MiB before, \(residentMiB()) MiB after")
    }
}

/// Whether `condition` comes true within some seconds. For what no event tells.
func eventually(_ condition: @Sendable () -> Bool) async -> Bool {
    for _ in 0..<200 {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(25))
    }
    return condition()
}

private func residentMiB() -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
    return (Int(text.split(separator: " ")[1]) ?? 0) * 4096 >> 20
}
