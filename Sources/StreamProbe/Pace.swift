// SPDX-License-Identifier: Apache-2.0

/// How a stream's frames came: one by one or in lumps, and with which heartbeats.
package struct Pace: Sendable {
    /// Events that came together after a silence.
    package struct Lump: Sendable, Equatable {
        /// How long nothing had come before.
        package var silence: Duration
        /// How many.
        package var events: Int
    }

    /// What lies closer together came together.
    private static let instant = Duration.milliseconds(20)

    /// A silence after which what comes was not there at the beginning.
    private static let pause = Duration.milliseconds(100)

    /// Rows of one transaction or poll come together as well, and few polls are further apart.
    private static let longSilence = Duration.seconds(2)

    /// The events that came with the first frame: what the client had missed.
    package private(set) var replayed = 0

    /// The events that came later.
    package private(set) var live: [ReceivedFrame] = []

    /// How many times live events came.
    package private(set) var groups = 0

    /// The live events that came by twos or more after a long silence.
    package private(set) var lumps: [Lump] = []

    /// The silence before the first heartbeat.
    package private(set) var heartbeat: Duration?

    /// A heartbeat that came in one read with what was sent before it.
    ///
    /// It is sent after a silence, and at least 100 ms long; so whatever brought both together had held back the first.
    package private(set) var heldHeartbeat: ReceivedFrame?

    /// A frame that came in pieces long after each other, as from a buffer of a certain size; frames are sent whole.
    package private(set) var piecemeal: ReceivedFrame?

    /// The longest time between two frames.
    package private(set) var longestSilence = Duration.zero

    /// Looks at frames in the order in which they came.
    package init(_ frames: [ReceivedFrame]) {
        var previous: ReceivedFrame?
        // A heartbeat may have a checkpoint sent with it.
        var beforeCheckpoint: (frame: ReceivedFrame, silence: Duration)?
        var isLive = false
        var group = Lump(silence: .zero, events: 0)
        for frame in frames {
            defer { previous = frame }
            if frame.longestGap > .seconds(1), piecemeal == nil { piecemeal = frame }
            guard let previous else { continue }
            let silence = frame.began - previous.ended
            longestSilence = max(longestSilence, silence)
            if silence >= Self.pause { isLive = true }
            if frame.isHeartbeat {
                let (last, idle) = beforeCheckpoint ?? (previous, silence)
                if frame.firstRead == last.lastRead {
                    heldHeartbeat = heldHeartbeat ?? frame
                } else if heartbeat == nil {
                    heartbeat = idle
                }
            }
            beforeCheckpoint = frame.isCheckpoint ? (previous, silence) : nil
            guard frame.isEvent else { continue }
            guard isLive else {
                replayed += 1
                continue
            }
            live.append(frame)
            if silence < Self.instant, group.events > 0 {
                group.events += 1
            } else {
                close(group)
                group = Lump(silence: silence, events: 1)
            }
        }
        close(group)
    }

    private mutating func close(_ group: Lump) {
        guard group.events > 0 else { return }
        groups += 1
        if group.events > 1, group.silence >= Self.longSilence { lumps.append(group) }
    }
}
