// SPDX-License-Identifier: Apache-2.0

/// A connection's bytes: one answer for each request in its order, whatever pieces they come in, and none for bytes that
/// another program could read as other requests than ours.
final class RequestCheck {
    private let server = ServedBytes()

    /// Takes the input for everything that a client sends before it ends its side.
    func fault(_ input: [UInt8]) -> String? {
        let answers: [Answer]
        switch Answer.read(server.answers(to: [input[...]])) {
        case .failure(let fault): return fault.description
        case .success(let read): answers = read
        }
        if let fault = fault(answers, requests: input) { return fault }
        // What comes behind a stream is dropped when it is more than a head may have, which depends on how it comes.
        guard input.count < 16 << 10 else { return nil }
        // The first byte of the input decides where it is cut.
        let size = 1 + Int(input.first ?? 0) % 64
        let pieces = stride(from: 0, to: input.count, by: size).map { input[$0..<min($0 + size, input.count)] }
        guard case .success(let others) = Answer.read(server.answers(to: pieces)) else { return "unreadable in pieces" }
        return answers == others ? nil : "in pieces of \(size) bytes: \(others)\nat once: \(answers)"
    }

    private func fault(_ answers: [Answer], requests input: [UInt8]) -> String? {
        var rest = input[...]
        for (index, answer) in answers.enumerated() {
            let head = RequestHead.cut(&rest)
            // What is too large needn't be whole.
            guard let head else {
                return index == answers.count - 1 && answer.closes ? nil : "an answer to no request: \(answer)"
            }
            if answer.closes != (index == answers.count - 1), answer.closes {
                return "answers after the last: \(answers)"
            }
            guard ![400, 431].contains(answer.status) else { continue }
            guard let request = RequestHead(head) else {
                return "taken, although it can be read in two ways: \(String(escaping: head))\n\(answer)"
            }
            if request.hasBody, !answer.closes { return "a body may be taken for a request: \(String(escaping: head))" }
            if answer.status == 404, request.method != "HEAD", let name = request.plainName,
                !answer.body.contains("'\(name)'")
            {
                return "not in order: \(answer.body) for '\(request.path)'"
            }
            if let expected = request.status, expected != answer.status {
                return "\(answer.status) in place of \(expected) for \(String(escaping: head))"
            }
        }
        return nil
    }
}

/// A request's head, read by RFC 9112 to the letter: `nil` when there is any doubt.
struct RequestHead {
    let method: String
    /// The path where the target begins with one, else nothing.
    let path: String
    let hasBody: Bool

    /// Takes a head off the front, empty lines before it included; `nil` when there is none that is whole.
    static func cut(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        rest = rest.drop { $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\n") }
        var lineStart = rest.startIndex
        while let end = rest[lineStart...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = rest[lineStart..<end]
            if line.isEmpty || line.elementsEqual([UInt8(ascii: "\r")]) {
                defer { rest = rest[(end + 1)...] }
                return rest[...end]
            }
            lineStart = end + 1
        }
        return nil
    }

    init?(_ head: ArraySlice<UInt8>) {
        let text = String(decoding: head, as: UTF8.self)
        var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { Array($0) }
        // Each line ends in CR LF, and has no other CR.
        guard lines.popLast()?.isEmpty == true, lines.allSatisfy({ $0.last == "\r" }) else { return nil }
        lines = lines.map { $0.dropLast() }
        guard lines.popLast()?.isEmpty == true, !lines.joined().contains(where: { $0 == "\r" || $0 == "\0" }) else {
            return nil
        }
        // More spaces than one are allowed between the parts (RFC 9112, section 3).
        let parts = (lines.first ?? []).split(separator: " ").map(Self.string)
        guard parts.count == 3, parts[0].utf8.allSatisfy(Self.isToken),
            ["HTTP/1.1", "HTTP/1.0"].contains(parts[2])
        else { return nil }
        var names: [String] = []
        for line in lines.dropFirst() {
            // No folding, no space before the colon.
            guard let colon = line.firstIndex(of: ":"), colon > 0,
                line[..<colon].allSatisfy({ $0.isASCII && Self.isToken(UInt8($0.value)) }),
                line[(colon + 1)...].allSatisfy({ $0 == "\t" || $0.value >= 0x20 && $0.value != 0x7f })
            else { return nil }
            names.append(Self.string(line[..<colon]).lowercased())
        }
        if parts[2] == "HTTP/1.1", names.count(where: { $0 == "host" }) != 1 { return nil }
        let framings = names.filter { $0 == "content-length" || $0 == "transfer-encoding" }
        guard Set(framings).count < 2, framings.filter({ $0 == "content-length" }).count < 2 else { return nil }
        method = parts[0]
        path = parts[1].hasPrefix("/") ? String(parts[1].prefix { $0 != "?" }) : ""
        hasBody = !framings.isEmpty
    }

    /// What the answer names that finds nothing; `nil` where that has to be escaped or cut.
    var plainName: String? {
        let name = path.hasPrefix("/feeds/") && path.utf8.count > 7 ? String(path.dropFirst(7)) : path
        let isPlain = name.utf8.count < 100 && name.utf8.allSatisfy { Self.isToken($0) || $0 == UInt8(ascii: "/") }
        return isPlain && !name.isEmpty ? name : nil
    }

    /// What the answer must be; `nil` where it depends on more than method and path.
    var status: Int? {
        switch (method, path) {
        case ("GET", "/healthz"), ("GET", "/feeds"), ("GET", "/metrics"): 200
        case ("OPTIONS", "/healthz"), ("OPTIONS", "/feeds"): 204
        case ("HEAD", _), ("CONNECT", _): nil
        case (_, "/healthz"), (_, "/feeds"): 405
        default: nil
        }
    }

    private static func string(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        String(String.UnicodeScalarView(scalars))
    }

    /// What names and methods are made of (RFC 9110, section 5.6.2).
    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
