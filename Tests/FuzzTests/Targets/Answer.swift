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
}

extension Substring {
    fileprivate func range(of text: String) -> Range<Index>? {
        firstRange(of: text)
    }
}
