// SPDX-License-Identifier: Apache-2.0

import HTTPTypes

/// `GET /`: a page that shows what `/status` tells and follows feeds, in one piece.
///
/// It holds no data, and asks for nothing but this server's own answers; its Content-Security-Policy has the browser see to that.
/// The files beside this one are its parts: `page.html` says where the others go.
enum StatusPage {
    /// The page, cut where the nonce goes.
    private static let pieces: [String] = {
        let scripts = [
            PackageResources.format_js, PackageResources.stream_js, PackageResources.overview_js,
            PackageResources.feed_js, PackageResources.page_js,
        ]
        var page = text(PackageResources.page_html)
        page = filled(page, "style", by: text(PackageResources.page_css))
        page = filled(page, "script", by: scripts.map(text).joined(separator: "\n"))
        return page.split(separator: "{{nonce}}", omittingEmptySubsequences: false).map(String.init)
    }()

    /// The page, with a nonce of its own.
    static func answer(_ status: HTTPResponse.Status = .ok, _ fields: HTTPFields = [:]) -> ShortAnswer {
        let nonce = nonce()
        var fields = fields
        fields[.contentType] = "text/html; charset=utf-8"
        fields[.cacheControl] = "no-store"
        fields[.contentSecurityPolicy] = policy(nonce)
        fields[.xContentTypeOptions] = "nosniff"
        fields[.referrerPolicy] = "no-referrer"
        return ShortAnswer(status: status, fields: fields, body: pieces.joined(separator: nonce))
    }

    /// What the page may do: nothing that isn't named here (W3C Content Security Policy Level 3).
    private static func policy(_ nonce: String) -> String {
        """
        default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; connect-src 'self'; img-src data:; \
        base-uri 'none'; form-action 'none'; frame-ancestors 'none'
        """
    }

    /// 128 random bits, which nobody can guess who gets text into the page.
    private static func nonce() -> String {
        (0..<2).map { _ in
            let digits = String(UInt64.random(in: .min ... .max), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    private static func text(_ file: [UInt8]) -> String {
        String(decoding: file, as: UTF8.self)
    }

    private static func filled(_ template: String, _ name: String, by text: String) -> String {
        template.split(separator: "{{\(name)}}", omittingEmptySubsequences: false).joined(separator: text)
    }
}
