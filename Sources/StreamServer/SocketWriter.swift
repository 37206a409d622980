// SPDX-License-Identifier: Apache-2.0

import Glibc
import RowtailCore

/// Hands shared bytes straight to the kernel, past the channel and its buffers.
///
/// A wrapper of `sendmsg(2)` that never blocks, raises no signal and takes many pieces in one call. Only for a socket
/// whose channel holds nothing back, or bytes would overtake others.
enum SocketWriter {
    /// How many pieces one call takes; IOV_MAX is 1024, and more of them gain nothing.
    static let pieceLimit = 64

    /// What came of a call.
    enum Result {
        /// So many bytes were taken, which may be none.
        case sent(Int)
        /// The connection is gone.
        case failed
    }

    /// Sends the bytes of slices, in order.
    static func send(_ slices: [SubscriberState.Slice], to descriptor: CInt) -> Result {
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: slices.count) { pieces in
            for (index, slice) in slices.enumerated() {
                let bytes = UnsafeRawBufferPointer(rebasing: slice.segment.bytes[slice.bytes])
                pieces[index] = iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress),
                    iov_len: bytes.count
                )
            }
            var message = msghdr()
            message.msg_iov = pieces.baseAddress
            message.msg_iovlen = pieces.count
            // The slices hold the segments, and with them the bytes, past the call.
            return withExtendedLifetime(slices) {
                result { sendmsg(descriptor, &message, CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL)) }
            }
        }
    }

    /// Sends bytes.
    static func send(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt) -> Result {
        result {
            Glibc.send(
                descriptor,
                bytes.baseAddress,
                bytes.count,
                CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL)
            )
        }
    }

    private static func result(_ call: () -> Int) -> Result {
        while true {
            let count = call()
            if count >= 0 { return .sent(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN, ENOBUFS: return .sent(0)
            default: return .failed
            }
        }
    }

    /// How many bytes the kernel holds that the peer hasn't acknowledged; `nil` where it can't tell.
    static func unacknowledged(_ descriptor: CInt) -> Int? {
        var count: CInt = 0
        // SIOCOUTQ, see tcp(7) and unix(7).
        guard ioctl(descriptor, UInt(TIOCOUTQ), &count) == 0 else { return nil }
        return Int(count)
    }
}
