// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import RowtailCore

extension ValueParser<String> {
    /// Reads a file's path and makes it absolute, starting from the directory when it is relative.
    static func path(from directory: String) -> Self {
        Self("path") { scalar throws(ValueError) in
            let text = try ValueParser.text.parse(scalar)
            if text.hasPrefix("~/") {
                throw ValueError("'~' is not expanded; write ${HOME}\(String(text.dropFirst()).printable)")
            }
            if text.hasPrefix(":memory:") || text.hasPrefix("file:") {
                throw ValueError("\(text.quoted) is not a path; name the file that the application writes")
            }
            return absolutePath(text, from: directory)
        }
    }

    /// Reads a text from a list of origins: `scheme://host[:port]` as browsers send it, or `*`.
    static var origin: Self {
        Self { scalar throws(ValueError) in
            let text = scalar.text
            let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if text == "*" {
                return text
            }
            guard parts.count == 2, parts[0].utf8.first?.isLetter == true, parts[0].utf8.allSatisfy(\.isInHostName)
            else {
                throw ValueError(
                    "\(text.quoted) is not an origin; write scheme://host, such as https://app.example.com"
                )
            }
            if text != text.lowercased() {
                throw ValueError("\(text.quoted) would match nothing; write it in lower case, as browsers send it")
            }
            if parts[1].contains("/") {
                let bare = parts[0] + "://" + parts[1].prefix { $0 != "/" }
                throw ValueError("\(text.quoted) has a path, an origin has none; write \(bare.printable)")
            }
            try checkAuthority(parts[1], of: text, scheme: parts[0])
            return text
        }
    }

    private static func checkAuthority(_ authority: String, of text: String, scheme: String) throws(ValueError) {
        var host = authority
        if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
            let portText = authority[authority.index(after: colon)...]
            host = String(authority[..<colon])
            guard portText.utf8.allSatisfy(\.isDigit), let port = Int(portText), (1...65535).contains(port) else {
                throw ValueError("\(text.quoted) has no valid port; use 1 to 65535 or leave it out")
            }
            if ["http": 80, "https": 443][scheme] == port {
                throw ValueError(
                    "\(text.quoted) would match nothing, browsers leave out the default port; remove :\(port)"
                )
            }
        }
        let isIPv6 =
            host.hasPrefix("[") && host.hasSuffix("]") && host.utf8.dropFirst().dropLast().allSatisfy(\.isInIPv6Address)
        guard !host.isEmpty, isIPv6 || host.utf8.allSatisfy(\.isInHostName) else {
            throw ValueError("\(text.quoted) has no valid host; write scheme://host or scheme://host:port")
        }
    }

    /// Reads the name that a feed's events carry.
    static var eventName: Self {
        Self { scalar throws(ValueError) in
            let text = try ValueParser.text.parse(scalar)
            if text.unicodeScalars.contains(where: { $0 == "\r" || $0 == "\n" }) {
                throw ValueError("\(text.quoted) contains a line break; write one line")
            }
            if text.hasPrefix("rowtail.") {
                throw ValueError("names that begin with 'rowtail.' are control events; choose another")
            }
            return text
        }
    }

    /// Reads the name of a cookie (RFC 6265, section 4.1.1).
    static var cookieName: Self {
        Self { scalar throws(ValueError) in
            let text = try ValueParser.text.parse(scalar)
            guard text.utf8.allSatisfy(\.isInCookieName) else {
                throw ValueError(
                    "\(text.quoted) is no name of a cookie; use letters, digits, '_' and '-', such as rowtail"
                )
            }
            return text
        }
    }

    /// Checks a name that stands in URLs and event ids.
    static var feedName: Self {
        Self { scalar throws(ValueError) in
            let text = scalar.text
            guard (1...64).contains(text.utf8.count), text.utf8.allSatisfy(\.isInHostName) else {
                throw ValueError("a feed's name has 1 to 64 of A-Z a-z 0-9 . _ -; rename the feed and set its 'table'")
            }
            // Clients take `.` and `..` out of a URL's path.
            if text.allSatisfy({ $0 == "." }) {
                throw ValueError("a feed's name cannot be dots alone; rename the feed and set its 'table'")
            }
            // On a stream of several feeds the name is the name of the events.
            if text.hasPrefix("rowtail.") {
                throw ValueError(
                    "names that begin with 'rowtail.' are control events; rename the feed and set its 'table'"
                )
            }
            return text
        }
    }
}

extension ValueParser<StartPoint> {
    /// Reads `latest`, `earliest` or `-N`, the newest N rows.
    static var startPoint: Self {
        Self("word or number", range: "latest earliest -N") { scalar throws(ValueError) in
            switch scalar.text {
            case "latest": return .latest
            case "earliest": return .earliest
            default: break
            }
            let digits = scalar.text.dropFirst()
            guard scalar.text.hasPrefix("-"), digits.utf8.allSatisfy(\.isDigit), let count = Int(digits), count > 0
            else {
                throw ValueError(
                    "\(scalar.text.quoted) is no start; use latest, earliest or, for the newest 10 rows, -10"
                )
            }
            return .newest(count)
        }
    }
}

/// Makes a path absolute and takes out what changes nothing in it.
///
/// A relative path starts from the directory, a relative directory from the working directory. `..` stays, since what
/// it means depends on symbolic links.
func absolutePath(_ path: String, from directory: String) -> String {
    if path.hasPrefix("/") {
        return "/" + path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }
    let base = directory.hasPrefix("/") ? directory : "\(FileManager.default.currentDirectoryPath)/\(directory)"
    return absolutePath("\(base)/\(path)", from: "/")
}
