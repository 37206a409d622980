// SPDX-License-Identifier: Apache-2.0

package import Dispatch

/// Runs an actor on a dispatch queue, so that timers and file events on that queue enter the actor without a hop.
///
/// SQLite calls block; on a queue of their own they hold up nobody else.
package final class SerialQueueExecutor: SerialExecutor {
    /// The queue.
    package let queue: DispatchQueue

    /// Makes a serial queue.
    package init(label: String) {
        queue = DispatchQueue(label: label)
    }

    /// Runs a job of the actor.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    /// Stops the process when called from elsewhere.
    package func checkIsolated() {
        dispatchPrecondition(condition: .onQueue(queue))
    }
}
