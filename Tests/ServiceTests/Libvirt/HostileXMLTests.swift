// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import CLinux
import Glibc
import Testing

/// XML that means harm, as it reaches the daemon.
@Suite struct HostileXMLTests {
    @Test(arguments: HostileDocument.Kind.allCases)
    func `hostile documents are refused at once, by what is wrong and where; nothing is opened for them`(
        _ kind: HostileDocument.Kind
    ) async throws {
        try await Harness.run { harness in
            let bait = try Bait(in: harness.root)
            defer { bait.remove() }
            let (pool, _) = try await harness.startedPool()
            for document in HostileDocument.all(kind, bait: bait.directory, port: bait.port) {
                let began = ContinuousClock.now
                let error = await harness.refusal(of: document, kind, in: pool)
                let time = ContinuousClock.now - began
                #expect(time < .seconds(1), "\(document) held the daemon up for \(time)")
                #expect((error != nil) == (document.refusal != nil), "\(document): \(error?.message.prefix(500) ?? "taken")")
                if let error, let refusal = document.refusal { check(error, refusal, document) }
            }
            #expect(bait.isUntouched)
            #expect(try await harness.managed("/org/cistern1/pools").count == 1, "nothing is defined by them")
        }
    }

    private func check(_ error: BusError, _ refusal: String, _ document: HostileDocument) {
        #expect(error.name == "org.cistern1.Error.InvalidXML", "\(document): \(error.message.prefix(500))")
        #expect(error.message.contains(refusal), "\(document): \(error.message.prefix(500))")
        #expect(error.message.contains("line \(document.line):") == (document.line > 0), "\(document): \(error.message.prefix(500))")
        #expect(error.message.utf8.count < 1000, "\(document): a message that nobody reads")
    }

    @Test func `thousands of hostile documents leave the daemon's memory as it was`() async throws {
        try await Harness.run { harness in
            let (pool, _) = try await harness.startedPool()
            let documents = HostileDocument.Kind.allCases.flatMap { kind in
                HostileDocument.all(kind, bait: "/nowhere", port: 1).map { (kind, $0) }
            }
            // What is large comes first, and never last: the memory of a large message is kept until another one comes.
            func sendAll(_ rounds: Int) async {
                for round in 0..<rounds {
                    for (kind, document) in documents where document.text.utf8.count < 5000 || round == 0 {
                        _ = await harness.refusal(of: document, kind, in: pool)
                    }
                }
            }
            await sendAll(10)
            let before = harness.memory()
            await sendAll(35)
            let after = harness.memory()
            #expect(after - before < 2048, "\(before) KiB before, \(after) KiB after")
        }
    }
}

extension Harness {
    /// Why a document is not taken; nil if it is. A pool is not defined; a volume is deleted.
    fileprivate func refusal(of document: HostileDocument, _ kind: HostileDocument.Kind, in pool: ObjectPath) async -> BusError? {
        do {
            switch kind {
            case .pool:
                let options: [String: Variant] = ["validate-only": .bool(true)]
                _ = try await call(Self.manager, Self.managerInterface, "DefinePoolXML", document.text, options, returning: ObjectPath.self)
            case .volume:
                let (volume, _) = try await createXML(pool, document.text, ["wait": .bool(true)])
                _ = try await job(volume, "Delete", ["wait": .bool(true)])
            }
        } catch {
            return error as? BusError ?? BusError.failed("\(error)")
        }
        return nil
    }
}

/// What a careless reader of XML opens: files, a pipe that would hold it for ever, a port.
private struct Bait {
    let directory: String
    let port: UInt16
    private let listener: Int32
    private let watch: Int32

    init(in root: String) throws {
        directory = root + "/bait"
        mkdir(directory, 0o755)
        writeFile(directory + "/secret", Array("<secret/>".utf8))
        mkfifo(directory + "/pipe", 0o600)
        watch = linux_inotify()
        (listener, port) = try Self.listen()
        try #require(inotify_add_watch(watch, directory, UInt32(IN_OPEN)) >= 0)
    }

    /// A socket that listens on a port of its own choice.
    private static func listen() throws -> (Int32, UInt16) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && Glibc.listen(listener, 8) == 0 && getsockname(listener, $0, &size) == 0
            }
        }
        try #require(isBound)
        return (listener, UInt16(bigEndian: address.sin_port))
    }

    /// Nobody has opened a file or come to the port.
    var isUntouched: Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        return read(watch, &buffer, buffer.count) < 0 && errno == EAGAIN && accept(listener, nil, nil) < 0 && errno == EAGAIN
    }

    func remove() {
        close(watch)
        close(listener)
    }
}
