// SPDX-License-Identifier: LGPL-2.1-or-later
import Glibc

/// What a member is, without the code behind it.
enum MemberDescription: Sendable {
    case method(MethodDescription)
    case property(PropertyDescription)
    case signal(Signal)
}

struct MethodDescription: Sendable {
    let name: String
    let documentation: String
    let inputs: [Argument]
    let outputs: [Argument]
    let input: String
    let output: String
    let schema: OptionSchema?
    let access: Access

    init<Object>(_ method: Method<Object>) {
        self.init(method.name, method.documentation, method.inputs, method.outputs, method.schema, method.access)
    }

    init(
        _ name: String, _ documentation: String, _ inputs: [Argument], _ outputs: [Argument], _ schema: OptionSchema? = nil,
        _ access: Access = .everyone
    ) {
        self.name = name
        self.documentation = documentation
        self.inputs = inputs
        self.outputs = outputs
        self.schema = schema
        self.access = access
        input = inputs.map(\.type).joined()
        output = outputs.map(\.type).joined()
    }

    /// "takes (st): name s, capacity t" for an error message.
    var usage: String {
        if inputs.isEmpty { return "takes no arguments" }
        return "takes (\(input)): " + inputs.map { "\($0.name) \($0.type)" }.joined(separator: ", ")
    }
}

/// `@unchecked Sendable` for the name as a C string, which is constant until the interface releases it.
struct PropertyDescription: @unchecked Sendable {
    let name: String
    let type: String
    let announcement: Announcement
    let documentation: String
    /// Who may write it; nil if nobody.
    let access: Access?
    private let nameBytes: UnsafeMutablePointer<CChar>?

    init(_ name: String, _ type: String, _ announcement: Announcement, _ documentation: String, _ access: Access?) {
        self.name = name
        self.type = type
        self.announcement = announcement
        self.documentation = documentation
        self.access = access
        nameBytes = strdup(name)
    }

    @inline(__always)
    func isNamed(_ other: UnsafePointer<CChar>) -> Bool {
        guard let nameBytes else { return false }
        return strcmp(nameBytes, other) == 0
    }

    func release() { free(nameBytes) }
}
