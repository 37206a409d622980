// SPDX-License-Identifier: Apache-2.0

import HTTPTypes

extension Authenticator {
    /// Reads the token out of a request's cookies (RFC 6265, section 4.2).
    ///
    /// Fields are split at each `;`, as HTTP/2 and proxies send a cookie a field or all in one (RFC 9113, section 8.2.3). Names
    /// differ by case. A value in quotes means what stands between them; nothing else is decoded.
    ///
    /// - Parameters:
    ///   - name: The cookie's name.
    ///   - fields: The request's fields.
    /// - Returns: The value, `nil` when there is none or it is empty.
    /// - Throws: ``RequestError`` when the cookie is there twice: which of the two the application set, nobody can tell, as another
    ///   path or a neighbouring domain may have set one.
    static func cookie(_ name: String, in fields: HTTPFields) throws -> String? {
        // By bytes: to characters, what follows a separator could be part of it.
        var values: [Substring.UTF8View] = []
        for pair in fields[values: .cookie].flatMap({ $0[...].utf8.split(separator: UInt8(ascii: ";")) }) {
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, trimmed(parts[0]).elementsEqual(name.utf8) else { continue }
            values.append(trimmed(parts[1]))
        }
        guard values.count <= 1 else {
            throw RequestError(
                .badRequest,
                "the cookie '\(name)' is given \(values.count) times; set it with one path, and without Domain"
            )
        }
        guard var value = values.first else { return nil }
        let quote = UInt8(ascii: "\"")
        if value.count > 1, value.first == quote, value.last == quote { value = value.dropFirst().dropLast() }
        return value.isEmpty ? nil : String(Substring(value))
    }

    /// A text without the spaces and tabs around it.
    private static func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
        let blanks: Set = [UInt8(ascii: " "), UInt8(ascii: "\t")]
        var rest = text.drop(while: blanks.contains)
        while let last = rest.last, blanks.contains(last) { rest.removeLast() }
        return rest
    }
}
