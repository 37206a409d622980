// SPDX-License-Identifier: Apache-2.0

import StreamProbe
import Testing

@Suite struct ProbeTargetTests {
    @Test(arguments: [
        ("https://example.org/feeds/orders", "https://example.org/feeds/orders", 443),
        ("http://[::1]:8080/feeds/a%20b?since=-5", "http://[::1]:8080/feeds/a%20b?since=-5", 8080),
        ("localhost:8080/feeds/orders", "http://localhost:8080/feeds/orders", 8080),
        ("HTTP://example.org", "http://example.org/", 80),
        (
            "https://example.org/feeds/o?access%5Ftoken=secret&a=b", "https://example.org/feeds/o?access_token=…&a=b",
            443
        ),
    ])
    func `a URL is taken apart, and its token not shown`(_ text: String, _ shown: String, _ port: Int) throws {
        let target = try ProbeTarget(text)
        #expect("\(target)" == shown)
        #expect(target.port == port)
        #expect(target.host == (text.contains("::1") ? "::1" : target.host))
    }

    @Test(arguments: [
        "ftp://example.org/", "", "https://", "http://example.org:99999/", "http://a b/",
        "https://me:secret@example.org/",
    ])
    func `what can't be asked is refused, without the password`(_ text: String) {
        let error = #expect(throws: ProbeError.self) { try ProbeTarget(text) }
        #expect(error?.code == .url)
        #expect(error.map { "\($0)".contains("secret") } == false)
    }
}
