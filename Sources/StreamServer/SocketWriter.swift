// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Hands shared bytes straight to the kernel, past the channel and its buffers.
///
/// A wrapper of `sendmsg(2)` that never blocks, raises no signal and takes many pieces in one call. Only for a socket
/// whose channel holds nothing back, or bytes would overtake others.
enum SocketWriter {
    /// What came of a call.
    enum Result {
        /// So many bytes were taken, which may be none.
        case sent(Int)
        /// The connection is gone, with what the kernel says of it.
        case failed(CInt)
    }

    private static let flags = CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL)

    /// Sends a batch to one socket.
    static func send(_ batch: SendBatch, to descriptor: CInt) -> Result {
        var result = Result.sent(batch.byteCount)
        withUnsafePointer(to: descriptor) { descriptor in
            send(batch, to: UnsafeBufferPointer(start: descriptor, count: 1)) { result = $1 }
        }
        return result
    }

    /// Sends a batch to many sockets.
    ///
    /// - Parameters:
    ///   - batch: What each of them gets.
    ///   - descriptors: The sockets.
    ///   - onShort: Called for each socket that didn't take everything, with its index.
    static func send(
        _ batch: SendBatch,
        to descriptors: UnsafeBufferPointer<CInt>,
        onShort: (Int, Result) -> Void
    ) {
        let total = batch.byteCount
        if batch.pieces.count == 1 {
            let piece = batch.pieces[0]
            for (index, descriptor) in descriptors.enumerated() {
                let count = Glibc.send(descriptor, piece.iov_base, piece.iov_len, flags)
                guard count != total else { continue }
                onShort(index, result(count) { Glibc.send(descriptor, piece.iov_base, piece.iov_len, flags) })
            }
            return
        }
        batch.pieces.withUnsafeBufferPointer { pieces in
            var message = msghdr()
            message.msg_iov = UnsafeMutablePointer(mutating: pieces.baseAddress)
            message.msg_iovlen = pieces.count
            for (index, descriptor) in descriptors.enumerated() {
                let count = sendmsg(descriptor, &message, flags)
                guard count != total else { continue }
                onShort(index, result(count) { sendmsg(descriptor, &message, flags) })
            }
        }
    }

    /// Sends bytes.
    static func send(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt) -> Result {
        result(Glibc.send(descriptor, bytes.baseAddress, bytes.count, flags)) {
            Glibc.send(descriptor, bytes.baseAddress, bytes.count, flags)
        }
    }

    /// What a call's return value means; a call that a signal broke off is made again.
    private static func result(_ count: Int, orAgain call: () -> Int) -> Result {
        var count = count
        while true {
            if count >= 0 { return .sent(count) }
            switch errno {
            case EINTR: count = call()
            case EAGAIN, ENOBUFS: return .sent(0)
            case let error: return .failed(error)
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
