// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore

/// Makes a pause when connections can't be accepted, and says so once; and once when they can again.
///
/// Takes the place of NIO's `AcceptBackoffHandler`, which holds back a `read` that doesn't come: a listener whose very
/// first `accept` fails keeps its read pending, is told at once that it is readable, and so on, on a whole processor.
final class AcceptErrorHandler: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private static let pause = TimeAmount.milliseconds(500)
    /// How long nothing may have failed before that is said.
    private static let calm = TimeAmount.seconds(2)

    private let logger: Logger
    private var isFailing = false
    private var isPaused = false
    private var pauses = 0

    init(logger: Logger) {
        self.logger = logger
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is IOError else { return }
        stop(context)
        guard !isFailing else { return }
        isFailing = true
        logger.warning(
            "can't accept connections, trying again",
            metadata: ["reason": "\(error)", "remedy": "raise the limit on open files (LimitNOFILE)"]
        )
    }

    private func stop(_ context: ChannelHandlerContext) {
        guard !isPaused else { return }
        isPaused = true
        pauses += 1
        _ = context.channel.setOption(.autoRead, value: false)
        let (pause, bound) = (pauses, NIOLoopBound((self, context.channel), eventLoop: context.eventLoop))
        context.eventLoop.scheduleTask(in: Self.pause) {
            let (handler, channel) = bound.value
            handler.isPaused = false
            _ = channel.setOption(.autoRead, value: true)
        }
        // At the limit one connection gets in for each that leaves; that is no end of the trouble.
        context.eventLoop.scheduleTask(in: Self.pause + Self.calm) { bound.value.0.recover(after: pause) }
    }

    private func recover(after pause: Int) {
        guard isFailing, pause == pauses else { return }
        isFailing = false
        logger.notice("connections are accepted again")
    }
}
