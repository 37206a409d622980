// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What `stat` says of a database file; never opened for it, as closing a descriptor of one's own would drop SQLite's locks.
///
/// Source: SQLite, "How To Corrupt An SQLite Database File", section 2.2.
package struct FileStat: Hashable, Sendable {
    /// Which file it is, whatever its name.
    package struct Identity: Hashable, Sendable {
        /// The number of the device.
        package var device: UInt64
        /// The number of the inode on it.
        package var inode: UInt64
    }

    /// Which file it is.
    package var identity: Identity

    /// The size in bytes.
    package var size: Int64

    /// When it was last written, in nanoseconds since 1970.
    package var modified: Int64

    /// The user it belongs to.
    package var owner: UInt32

    /// The group it belongs to.
    package var group: UInt32

    /// The permission bits.
    package var mode: UInt32

    /// Looks at a file, through symbolic links.
    ///
    /// - Returns: `nil` when it can't be found or looked at; `errno` says why.
    package init?(path: String) {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        identity = Identity(device: UInt64(info.st_dev), inode: UInt64(info.st_ino))
        size = Int64(info.st_size)
        modified = Int64(info.st_mtim.tv_sec) * 1_000_000_000 + Int64(info.st_mtim.tv_nsec)
        owner = info.st_uid
        group = info.st_gid
        mode = UInt32(info.st_mode) & 0o7777
    }
}
