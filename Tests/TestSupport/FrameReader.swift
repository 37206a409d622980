// SPDX-License-Identifier: Apache-2.0

/// A client that reads a stream's frames.
package protocol FrameReader: Sendable {
    /// Reads the next block of a stream; `nil` at the end of the body or of the connection.
    func frame() async throws -> StreamClient.Frame?
}

extension FrameReader {
    /// Reads the next frame that is an event, passing over comments and checkpoints.
    package func event() async throws -> StreamClient.Frame? {
        while let frame = try await frame() {
            if frame.data != nil { return frame }
        }
        return nil
    }

    /// Reads events until there are so many, or the end.
    package func events(_ count: Int) async throws -> [StreamClient.Frame] {
        var events: [StreamClient.Frame] = []
        while events.count < count, let event = try await event() {
            events.append(event)
        }
        return events
    }
}
