// SPDX-License-Identifier: Apache-2.0

import RowtailCore

/// Who may stay.
extension FeedGroup {
    /// Ends the streams in order that may not go on: their token is gone or covers the feed no longer, or they have none
    /// and one is needed now.
    ///
    /// To be called when `access` is in force. Each stream ends as soon as its connection takes the bytes, and is sent no
    /// more rows until then.
    func revoke(under access: AccessList?) {
        for subscriber in cohort.members + stragglers where !isPermitted(subscriber, under: access) {
            subscriber.ending = subscriber.ending ?? .unauthorized
            pump(subscriber)
        }
    }

    /// Whether a stream may go on.
    func isPermitted(_ subscriber: Subscriber, under access: AccessList?) -> Bool {
        access?.permits(subscriber.token, feed: feed.name) ?? true
    }
}
