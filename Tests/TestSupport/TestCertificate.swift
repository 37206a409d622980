// SPDX-License-Identifier: Apache-2.0

import Foundation
package import StreamServer

/// A certificate for `localhost` that signs itself, and its key, made by openssl in a directory of their own.
package final class TestCertificate: Sendable {
    /// Where the files are.
    package let files: TLSFiles

    /// The serial number, in hexadecimal digits.
    package let serial: String

    private let directory: TemporaryDirectory

    /// One for all tests that don't care which.
    package static let shared = Result { try TestCertificate() }

    /// Makes one.
    package init() throws {
        directory = try TemporaryDirectory()
        files = TLSFiles(certificate: directory.file("certificate.pem"), privateKey: directory.file("key.pem"))
        try Shell.run(
            "openssl",
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
                + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
                + ["-keyout", files.privateKey, "-out", files.certificate]
        )
        let line = try Shell.run("openssl", ["x509", "-in", files.certificate, "-noout", "-serial"])
        serial = line.split(separator: "=").last.map { $0.trimmingCharacters(in: .whitespacesAndNewlines) } ?? ""
    }

    /// What a server is given.
    package func identity() throws -> TLSIdentity {
        try TLSIdentity(files)
    }
}
