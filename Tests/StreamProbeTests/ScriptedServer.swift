// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix

/// A server on a real socket that answers each request as the test says, and may misbehave in any way.
enum ScriptedServer {
    /// A request's head.
    struct Request: Sendable {
        /// The path and query.
        var target: String
        /// The fields, names in lower case.
        var fields: [String: String]
    }

    /// What is done one after another once a request is there; at the end the connection stays open.
    enum Step: Sendable {
        case send(String)
        case pause(TimeAmount)
        case close
    }

    /// The head of a stream without length or chunks.
    static func head(_ more: String...) -> Step {
        let lines = [
            "HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Cache-Control: no-cache", "Server: nginx/1.22.1",
        ]
        return .send((lines + more + ["", ""]).joined(separator: "\r\n"))
    }

    /// A whole answer.
    static func answer(_ status: String, _ fields: [String] = [], body: String = "") -> [Step] {
        let lines = ["HTTP/1.1 \(status)", "Content-Length: \(body.utf8.count)"] + fields + ["", body]
        return [.send(lines.joined(separator: "\r\n"))]
    }

    /// Starts a server on a port that the kernel chooses; the test closes it.
    static func start(_ script: @escaping @Sendable (Request) -> [Step]) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ScriptHandler(script))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }
}

private final class ScriptHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let script: @Sendable (ScriptedServer.Request) -> [ScriptedServer.Step]
    private var text = ""

    init(_ script: @escaping @Sendable (ScriptedServer.Request) -> [ScriptedServer.Step]) {
        self.script = script
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        text += String(buffer: unwrapInboundIn(data))
        guard text.hasSuffix("\r\n\r\n") else { return }
        let lines = text.split(separator: "\r\n").map(String.init)
        text = ""
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
            fields[parts[0].lowercased()] = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
        }
        let target = lines.first?.split(separator: " ").dropFirst().first.map(String.init) ?? ""
        Self.run(script(ScriptedServer.Request(target: target, fields: fields))[...], on: context.channel)
    }

    private static func run(_ steps: ArraySlice<ScriptedServer.Step>, on channel: any Channel) {
        guard let step = steps.first else { return }
        let rest = steps.dropFirst()
        switch step {
        case .send(let text):
            channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
            run(rest, on: channel)
        case .pause(let time):
            channel.eventLoop.scheduleTask(in: time) { run(rest, on: channel) }
        case .close:
            channel.close(promise: nil)
        }
    }
}
