// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// Hands the answer on an HTTP/1 connection to the recorder.
final class HTTP1ResponseHandler: ResponseHandler {
    typealias InboundIn = HTTPClientResponsePart

    let recorder: ExchangeRecorder

    init(_ recorder: ExchangeRecorder) {
        self.recorder = recorder
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            recorder.head(
                Exchange.Head(
                    version: "HTTP/\(head.version.major).\(head.version.minor)",
                    status: Int(head.status.code),
                    fields: head.headers.map { ($0.name.lowercased(), $0.value) }
                )
            )
        case .body(let buffer): recorder.body(buffer)
        case .end: recorder.finish(.complete)
        }
    }
}
