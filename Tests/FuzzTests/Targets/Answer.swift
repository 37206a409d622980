// SPDX-License-Identifier: Apache-2.0

/// What was answered to one request.
struct Answer: Equatable {
    /// What can't be read as answers.
    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    let status: Int
    /// Whether it says that no other follows.
    let closes: Bool
    /// The body; that of the metrics, which change, is left out.
    let body: String

    /// Takes apart what a server sent; the heads of answers to `HEAD` are told by what follows them.
    static func read(_ bytes: [UInt8]) -> Result<[Answer], Fault> {
        var answers: [Answer] = []
        var rest = String(decoding: bytes, as: UTF8.self)[...]
        while !rest.isEmpty {
            guard let end = rest.range(of: "\r\n\r\n") else {
                return .failure(Fault(description: "half a head: \(rest)"))
            }
            var lines = rest[..<end.lowerBound].split(separator: "\r\n").map(String.init)
            rest = rest[end.upperBound...]
            let line = lines.removeFirst()
            guard line.hasPrefix("HTTP/1.1 ") || line.hasPrefix("HTTP/1.0 "),
                let status = Int(line.dropFirst(9).prefix(3))
            else { return .failure(Fault(description: "no status: \(line)")) }
            let lengths = lines.filter { $0.lowercased().hasPrefix("content-length: ") }
            guard lengths.count < 2, let length = Int(lengths.first?.dropFirst(16) ?? "0") else {
                return .failure(Fault(description: "no length: \(lines)"))
            }
            if lines.contains(where: { $0.lowercased() == "content-type: text/event-stream" }) {
                // What a stream holds is for other tests, and it may be open still.
                let isChunked = lines.contains { $0.lowercased() == "transfer-encoding: chunked" }
                guard isChunked ? dropChunks(&rest) : true else {
                    return .failure(Fault(description: "no chunk: \(rest)"))
                }
                if !isChunked { rest = "" }
            }
            var body = ""
            if !rest.hasPrefix("HTTP/1."), length > 0, !rest.isEmpty {
                guard rest.utf8.count >= length else { return .failure(Fault(description: "half a body: \(rest)")) }
                let end = rest.utf8.index(rest.startIndex, offsetBy: length)
                body = rest.hasPrefix("# HELP") ? "" : String(rest[..<end])
                rest = rest[end...]
            }
            answers.append(
                Answer(status: status, closes: lines.contains { $0.lowercased() == "connection: close" }, body: body)
            )
        }
        return .success(answers)
    }

    /// Drops a body in chunks, whole or as far as it goes.
    private static func dropChunks(_ rest: inout Substring) -> Bool {
        // The answer to HEAD has none.
        while !rest.isEmpty, !rest.hasPrefix("HTTP/1.") {
            guard let end = rest.range(of: "\r\n"), let size = Int(rest[..<end.lowerBound], radix: 16) else {
                return false
            }
            let utf8 = rest[end.upperBound...].utf8.dropFirst(size)
            guard utf8.starts(with: "\r\n".utf8) else { return false }
            rest = Substring(utf8.dropFirst(2))
            if size == 0 { break }
        }
        return true
    }
}

extension Substring {
    fileprivate func range(of text: String) -> Range<Index>? {
        firstRange(of: text)
    }
}
