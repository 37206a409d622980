// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Hands an answer to a recorder, whatever version of HTTP it comes in: what follows its parts is the same for all.
protocol ResponseHandler: ChannelInboundHandler {
    /// Where the answer goes.
    var recorder: ExchangeRecorder { get }
}

extension ResponseHandler {
    func channelReadComplete(context: ChannelHandlerContext) {
        recorder.readComplete()
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        recorder.finish(.cut)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        recorder.finish(.cut, failure: ConnectionFailure.text(error))
        context.close(promise: nil)
    }
}
