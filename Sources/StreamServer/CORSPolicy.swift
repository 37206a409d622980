// SPDX-License-Identifier: Apache-2.0

import HTTPTypes

/// Which web pages of other origins may read the feeds (WHATWG Fetch, section 3.2).
package struct CORSPolicy: Sendable, Hashable {
    /// Origins such as `https://example.org`, or `*` for all; none by default.
    package var allowedOrigins: [String]

    /// Whether requests may carry cookies and the like; never together with `*`.
    package var allowsCredentials: Bool

    /// A policy; without origins, only pages of the same origin may read.
    package init(allowedOrigins: [String] = [], allowsCredentials: Bool = false) {
        self.allowedOrigins = allowedOrigins
        self.allowsCredentials = allowsCredentials
    }

    /// The fields that an answer gets; a preflight is an OPTIONS request that asks what may be sent.
    func fields(for request: HTTPRequest, isPreflight: Bool = false) -> HTTPFields {
        guard !allowedOrigins.isEmpty else { return [:] }
        var fields: HTTPFields = [:]
        let allowsAll = allowedOrigins.contains("*")
        if !allowsAll { fields[.vary] = "Origin" }
        guard let origin = request.headerFields[.origin], allowsAll || allowedOrigins.contains(origin) else {
            return fields
        }
        fields[.accessControlAllowOrigin] = allowsAll ? "*" : origin
        if allowsCredentials { fields[.accessControlAllowCredentials] = "true" }
        if isPreflight {
            fields[.accessControlAllowMethods] = Router.allowedMethods
            fields[.accessControlAllowHeaders] = "Last-Event-ID, Authorization, Cache-Control"
            fields[.accessControlMaxAge] = "600"
        } else {
            // What a page may need of a refusal, beyond the fields that every page may read.
            fields[.accessControlExposeHeaders] = "Retry-After, WWW-Authenticate"
        }
        return fields
    }
}
