// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import NIOCore

/// The method of a request that is none of those answered here, kept from the parser, which knows some of them and calls a
/// head with any other no HTTP.
///
/// A method is any token (RFC 9110, section 9.1), so a request with one that nobody knows is a request all the same.
enum OtherMethod {
    /// Those that the parser has to see; CONNECT has another kind of target.
    private static let ordinary: Set<HTTPRequest.Method> = [.get, .head, .options, .connect]

    /// Puts POST in place of a head's method, if it is none of the ordinary ones.
    ///
    /// - Returns: What it was; `nil` where it stays, or is no method.
    static func take(from head: inout ByteBuffer) -> HTTPRequest.Method? {
        let bytes = head.readableBytesView
        // Most requests.
        if bytes.starts(with: "GET ".utf8) { return nil }
        guard let end = bytes.firstIndex(of: UInt8(ascii: " ")),
            let method = HTTPRequest.Method(String(decoding: bytes[..<end], as: UTF8.self)),
            !ordinary.contains(method)
        else { return nil }
        var replaced = ByteBuffer(string: HTTPRequest.Method.post.rawValue)
        replaced.writeImmutableBuffer(head.getSlice(at: end, length: bytes.endIndex - end) ?? ByteBuffer())
        head = replaced
        return method
    }
}
