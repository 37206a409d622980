// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The file systems that are mounted, as this process sees them.
///
/// Source: proc_pid_mountinfo(5).
struct MountTable: Sendable {
    /// One mounted file system.
    struct Mount: Hashable, Sendable {
        /// Where it is mounted.
        var point: String
        /// Its type, `ext4` or `fuse.sshfs`.
        var type: String
        /// Whether nothing can be written to it from here.
        var isReadOnly: Bool
    }

    /// How far SQLite's locks and shared memory reach on a file system.
    enum Reach: Sendable {
        /// To every program that can open the file.
        case local
        /// Not to programs on other machines, or not reliably.
        case network
        /// To every program on this machine, while others may have the file open as well.
        case shared
        /// As far as a program lets them, as the file system is not the kernel's.
        case unknown
    }

    /// What is mounted, the newest last.
    let mounts: [Mount]

    /// Reads the text of a `mountinfo` file.
    init(mountinfo: String) {
        mounts = mountinfo.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard let separator = fields.firstIndex(of: "-"), separator >= 6, fields.count > separator + 3 else {
                return nil
            }
            let options = fields[5].split(separator: ",") + fields[separator + 3].split(separator: ",")
            return Mount(
                point: Self.unescaped(fields[4]),
                type: String(fields[separator + 1]),
                isReadOnly: options.contains("ro")
            )
        }
    }

    /// What is mounted now; empty where /proc isn't.
    static var current: MountTable {
        var text: [UInt8] = []
        let descriptor = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)
        if descriptor >= 0 {
            var buffer = [UInt8](repeating: 0, count: 16 << 10)
            while case let count = read(descriptor, &buffer, buffer.count), count > 0 {
                text += buffer.prefix(count)
            }
            close(descriptor)
        }
        return MountTable(mountinfo: String(decoding: text, as: UTF8.self))
    }

    /// The file system that a file is on, given its path without symbolic links.
    ///
    /// By name, as the device that `stat` tells is another one than that of the mount on btrfs and overlay file systems.
    func mount(of path: String) -> Mount? {
        var found: Mount?
        for mount in mounts {
            let isAbove = mount.point == "/" || path == mount.point || path.hasPrefix(mount.point + "/")
            // Of two at one point, the later one hides the earlier.
            if isAbove, mount.point.utf8.count >= found?.point.utf8.count ?? 0 { found = mount }
        }
        return found
    }

    /// Spaces, tabs, line breaks and backslashes stand as `\` and three octal digits.
    private static func unescaped(_ text: Substring) -> String {
        var result: [UInt8] = []
        var rest = Substring(text).utf8
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), let value = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
            {
                result.append(value)
                rest = rest.dropFirst(3)
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

extension MountTable.Mount {
    private static let network: Set = [
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "ceph", "lustre", "gpfs", "beegfs", "glusterfs",
        "pvfs2", "davfs", "fuse.sshfs", "fuse.s3fs", "fuse.glusterfs", "fuse.ceph", "fuse.ceph-fuse", "fuse.rclone",
        "fuse.gcsfuse", "fuse.goofys", "fuse.mount-s3", "fuse.blobfuse", "fuse.blobfuse2", "fuse.davfs2",
        "fuse.curlftpfs", "fuse.gvfsd-fuse", "fuse.juicefs", "fuse.JuiceFS", "fuse.mfs", "fuse.seaweedfs",
    ]
    private static let shared: Set = [
        "9p", "virtiofs", "vboxsf", "prl_fs", "vmhgfs", "fuse.vmhgfs-fuse", "fuse.grpcfuse",
    ]

    /// How far SQLite's locks and shared memory reach on it.
    var reach: MountTable.Reach {
        if Self.network.contains(type) { return .network }
        if Self.shared.contains(type) { return .shared }
        return type == "fuse" || type.hasPrefix("fuse.") ? .unknown : .local
    }
}
