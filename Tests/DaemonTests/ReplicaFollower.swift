// SPDX-License-Identifier: Apache-2.0

import TestSupport

/// A client that rebuilds a table from a feed, is cut off at random moments, and resumes with the last id that it has.
final class ReplicaFollower: Sendable {
    let feed: String
    let replica: Watched<TableReplica>
    private let connections = Watched(0)

    init(_ feed: String, _ kind: TableReplica.Kind, of table: RebuiltTable) {
        self.feed = feed
        replica = Watched(TableReplica(kind, of: table))
    }

    /// How many streams it had.
    var streams: Int { connections.value }

    /// Follows until it has the last row, asking each time for the port, which is another after a restart.
    func follow(seed: UInt64, port: @Sendable () -> Int) async throws {
        var random = SeededGenerator(seed: seed)
        while !replica.value.isOver {
            // As a client whose connection is lost, it doesn't come back at once. A daemon that is down refuses it.
            try await ContinuousClock().sleep(for: .milliseconds(30))
            let frames =
                random.oneIn(4) ? Int.max : Int.random(in: 1...Int.random(in: 2...60, using: &random), using: &random)
            let isReset = Bool.random(using: &random)
            try? await connect(port(), frames: frames, isReset: isReset)
        }
    }

    /// Reads some frames, or up to the end of the stream or the last row; what was sent beyond that is lost.
    private func connect(_ port: Int, frames: Int, isReset: Bool) async throws {
        let id = replica.value.lastID.map { "\($0)" }
        let path = "/feeds/\(feed)" + (id == nil ? "?since=earliest" : "")
        let (client, head) = try await StreamClient.stream(port: port, path, lastEventID: id)
        connections.update { $0 += 1 }
        if head.status != 200 { replica.update { $0.fault(head.statusLine) } }
        do {
            try await read(client, frames)
        } catch let closed as StreamClient.Closed where closed.found != StreamClient.Closed().found {
            // A daemon that is killed cuts its streams anywhere; but what it sent is well formed.
            replica.update { $0.fault("\(closed.found) in the stream") }
        }
        if isReset { try await client.reset() } else { await client.close() }
    }

    private func read(_ client: StreamClient, _ frames: Int) async throws {
        for _ in 0..<frames {
            guard let frame = try await client.frame() else { return }
            let isOver = replica.update { replica in
                replica.take(id: frame.id, event: frame.event, data: frame.data)
                return replica.isOver
            }
            if isOver { return }
        }
    }

    /// What else there is after the last row that it has.
    func rest(port: Int) async throws -> [String] {
        let id = replica.value.lastID.map { "\($0)" }
        let (client, head) = try await StreamClient.stream(port: port, "/feeds/\(feed)?until=head", lastEventID: id)
        guard head.status != 204 else { return [] }
        return try await client.events(.max).map { $0.event ?? $0.data ?? "" }.filter { $0 != "rowtail.end" }
    }
}
