// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The user that the process acts as.
package enum ProcessUser {
    /// Why the process can't act as another user.
    package struct Failure: Error, CustomStringConvertible {
        /// What is wrong and what to do about it.
        package let description: String
    }

    /// Acts as another user from now on, with all of its groups and nothing else.
    ///
    /// There is no way back. Nothing happens when the process acts as that user already.
    ///
    /// - Parameter name: The user's name, or its number where it has none.
    /// - Throws: ``Failure``.
    package static func become(_ name: String) throws {
        let (id, group) = try numbers(of: name)
        guard id != geteuid() else { return }
        guard geteuid() == 0 else {
            throw Failure(description: "only root may act as user '\(name)'; run it with sudo")
        }
        // initgroups takes a name; a user without one has no groups but its own.
        var own = [group]
        let hasGroups = getpwnam(name) == nil ? setgroups(1, &own) : initgroups(name, group)
        guard hasGroups == 0, setgid(group) == 0, setuid(id) == 0 else {
            throw Failure(description: "can't act as user '\(name)': \(String(cString: strerror(errno)))")
        }
    }

    private static func numbers(of name: String) throws -> (user: uid_t, group: gid_t) {
        if let entry = getpwnam(name) { return (entry.pointee.pw_uid, entry.pointee.pw_gid) }
        guard let id = uid_t(name), id != uid_t.max else {
            throw Failure(description: "there is no user '\(name)'; name another")
        }
        return (id, getpwuid(id)?.pointee.pw_gid ?? id)
    }
}
