// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore

/// Says once when connections can't be accepted, and once when they can again.
///
/// Sits behind NIO's `AcceptBackoffHandler`, which makes the pause.
final class AcceptErrorHandler: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private let logger: Logger
    private var isFailing = false

    init(logger: Logger) {
        self.logger = logger
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isFailing else { return }
        isFailing = true
        logger.warning(
            "can't accept connections, trying again",
            metadata: ["reason": "\(error)", "remedy": "raise the limit on open files (LimitNOFILE)"]
        )
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isFailing {
            isFailing = false
            logger.notice("connections are accepted again")
        }
        context.fireChannelRead(data)
    }
}
