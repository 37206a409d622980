// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Synchronization

/// A fact that a test waited for and that didn't come in time.
package struct NotInTime: Error, CustomStringConvertible {
    /// What was waited for, and what was there instead.
    package var description: String

    /// An error with its message.
    package init(description: String) {
        self.description = description
    }
}

/// A value that changes while tests wait for it to become something.
package final class Watched<Value: Sendable>: Sendable {
    private struct Waiter {
        var id: Int
        /// Whether the value is what was waited for; tells the one who waits.
        var look: (Value) -> Bool
        var giveUp: (Value) -> Void
    }

    private struct State: ~Copyable {
        var value: Value
        var waiters: [Waiter] = []
        var nextID = 0
    }

    private let state: Mutex<State>

    /// Begins with a value.
    package init(_ value: sending Value) {
        state = Mutex(State(value: value))
    }

    /// The value at this moment.
    package var value: Value { state.withLock { $0.value } }

    /// Changes the value.
    @discardableResult
    package func update<Result: Sendable>(_ change: (inout Value) -> Result) -> Result {
        state.withLock { state in
            let result = change(&state.value)
            state.waiters.removeAll { $0.look(state.value) }
            return result
        }
    }

    /// Waits until there is in the value what is looked for.
    ///
    /// What is looked for is named for the message when it doesn't come. The limit is generous, as the machine may be slow.
    ///
    /// - Throws: ``NotInTime``.
    package func until<Found: Sendable>(
        _ what: String,
        within limit: Duration = .seconds(30),
        _ find: @escaping @Sendable (Value) -> Found?
    ) async throws -> Found {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Found, any Error>) in
            let id: Int? = state.withLock { state in
                if let found = find(state.value) {
                    continuation.resume(returning: found)
                    return nil
                }
                state.nextID += 1
                state.waiters.append(
                    Waiter(
                        id: state.nextID,
                        look: { value in
                            guard let found = find(value) else { return false }
                            continuation.resume(returning: found)
                            return true
                        },
                        giveUp: { value in
                            let text = "\(value)".suffix(4000)
                            continuation.resume(
                                throwing: NotInTime(description: "not within \(limit): \(what); instead: \(text)")
                            )
                        }
                    )
                )
                return state.nextID
            }
            guard let id else { return }
            let milliseconds = Int(limit / .milliseconds(1))
            DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(milliseconds)) { self.giveUp(id) }
        }
    }

    private func giveUp(_ id: Int) {
        state.withLock { state in
            guard let index = state.waiters.firstIndex(where: { $0.id == id }) else { return }
            state.waiters.remove(at: index).giveUp(state.value)
        }
    }
}

/// Looks again and again for a fact that nobody announces, such as a file's size or an answer of another process.
///
/// - Throws: ``NotInTime``.
@discardableResult
package func eventually<Found>(
    _ what: String,
    within limit: Duration = .seconds(30),
    every pause: Duration = .milliseconds(20),
    _ find: () async throws -> Found?
) async throws -> Found {
    let deadline = ContinuousClock.now + limit
    while true {
        if let found = try await find() { return found }
        guard .now < deadline else { throw NotInTime(description: "not within \(limit): \(what)") }
        try await ContinuousClock().sleep(for: pause)
    }
}
