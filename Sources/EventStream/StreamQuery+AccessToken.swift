// SPDX-License-Identifier: Apache-2.0

extension StreamQuery {
    /// Takes the token out of a request's query, so that nothing that reads the rest can show it.
    ///
    /// No token contains a space: a plus that was not percent-encoded means itself.
    ///
    /// - Parameter query: What follows `?` in the request's target.
    /// - Returns: The value of `access_token`, `nil` when it isn't given or empty.
    /// - Throws: ``StreamQueryError``, which doesn't show the value.
    package static func takeAccessToken(from query: inout Substring) throws -> String? {
        var tokens: [Substring] = []
        let others = query.split(separator: "&").filter { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = try? decoded(parts[0]), name == "access_token" else { return true }
            tokens.append(parts.count == 2 ? parts[1] : "")
            return false
        }
        guard let value = tokens.first else { return nil }
        query = others.joined(separator: "&")[...]
        guard tokens.count == 1 else {
            throw StreamQueryError(code: .badRequest, message: "'access_token' is given twice; give it once")
        }
        guard let token = try? decoded(value) else {
            throw StreamQueryError(
                code: .badRequest,
                message:
                    "access_token: there is a '%' without two hexadecimal digits, or no UTF-8; percent-encode the token"
            )
        }
        return token.isEmpty ? nil : token.replacing(" ", with: "+")
    }
}
