// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern

extension BusError {
    /// The D-Bus error that a storage error is.
    init(_ error: StorageError) {
        self.init(error.code.busName, error.message)
    }
}

extension StorageError.Code {
    /// The D-Bus error name; names are API.
    var busName: String {
        switch self {
        case .invalidArguments, .accessDenied, .limitsExceeded: "org.freedesktop.DBus.Error.\(rawValue)"
        default: "org.cistern1.Error.\(rawValue)"
        }
    }
}
