// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHPACK
import NIOHTTP2

/// Hands the answer on an HTTP/2 stream to the recorder.
final class HTTP2ResponseHandler: ResponseHandler {
    typealias InboundIn = HTTP2Frame.FramePayload

    let recorder: ExchangeRecorder

    init(_ recorder: ExchangeRecorder) {
        self.recorder = recorder
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let payload):
            // Trailers have no status.
            if let status = payload.headers.first(name: ":status").flatMap({ Int($0) }) {
                recorder.head(
                    Exchange.Head(
                        version: "HTTP/2",
                        status: status,
                        fields: payload.headers.filter { !$0.name.hasPrefix(":") }.map { ($0.name, $0.value) }
                    )
                )
            }
            if payload.endStream { recorder.finish(.complete) }
        case .data(let payload):
            if case .byteBuffer(let buffer) = payload.data { recorder.body(buffer) }
            if payload.endStream { recorder.finish(.complete) }
        case .rstStream(let code):
            recorder.finish(.cut, failure: "the stream was reset: \(code)")
        default:
            break
        }
    }
}
