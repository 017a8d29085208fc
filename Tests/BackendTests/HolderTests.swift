// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Glibc
import Testing

@testable import Backends

@Suite struct HolderTests {
    @Test func `what a child has open until it becomes another program is waited for`() throws {
        let directory = try TemporaryDirectory()
        try TestFiles.make(directory("v"), content: "x")
        let opened = try Directory.open(directory.path)
        let file = try opened.open("v")
        let child = try StartingChild()
        file.close()
        let reference = try opened.look(at: "v")
        let began = ContinuousClock.now
        let taken = #expect(throws: Lease.Taken.self) { try Lease(reference, path: directory("v"), excluding: .opening) }
        #expect(taken?.holders.map(\.pid) == [child.pid])
        #expect(ContinuousClock.now - began > .seconds(1), "such a child is gone in a moment, and is worth a wait")
        child.end()
        try Lease(reference, path: directory("v"), excluding: .opening).close()
    }
}

/// A child between fork and exec, for as long as we like: there is no such program, and it waits to tell us.
private struct StartingChild {
    let pid: Int32
    private var ends: [Int32] = [-1, -1]

    init() throws {
        #expect(linux_pipe(&ends) == 0)
        // Nothing more can be written.
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        while write(ends[1], "x", 1) == 1 {}
        _ = fcntl(ends[1], F_SETFL, 0)
        var none: [UnsafeMutablePointer<CChar>?] = [nil]
        let status = ends[1]
        pid = none.withUnsafeMutableBufferPointer { none in
            "/nowhere/program".withCString { program in
                var spawn = linux_spawn(
                    program: program, arguments: none.baseAddress, environment: none.baseAddress, input: status, output: status,
                    errors: status, status: status)
                return linux_spawn(&spawn)
            }
        }
        try #require(pid > 0)
    }

    func end() {
        for end in ends { close(end) }
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }
}
