// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What an open file or pipe has, to its end.
struct FileBytes {
    /// The bytes, or one more than the limit.
    let bytes: [UInt8]
    /// The error that ended reading, an `errno`; 0 where nothing did.
    let failure: CInt

    /// Reads a descriptor to its end, or until the limit is passed.
    init(of descriptor: CInt, limit: Int) {
        var failure: CInt = 0
        bytes = [UInt8](unsafeUninitializedCapacity: limit + 1) { buffer, count in
            while count < buffer.count {
                let size = read(descriptor, buffer.baseAddress?.advanced(by: count), buffer.count - count)
                if size < 0, errno == EINTR { continue }
                if size < 0 { failure = errno }
                guard size > 0 else { return }
                count += size
            }
        }
        self.failure = failure
    }
}
