// SPDX-License-Identifier: Apache-2.0

import Foundation
import StreamServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct TLSIdentityTests {
    private let directory: TemporaryDirectory
    private let good: TestCertificate

    init() throws {
        directory = try TemporaryDirectory()
        good = try TestCertificate.shared.get()
    }

    /// Writes a file and returns its path.
    private func write(_ text: String, _ name: String = "file.pem") throws -> String {
        let path = directory.file(name)
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// What loading complains of.
    private func fault(certificate: String? = nil, privateKey: String? = nil) -> String {
        do {
            _ = try TLSIdentity(
                TLSFiles(
                    certificate: certificate ?? good.files.certificate,
                    privateKey: privateKey ?? good.files.privateKey
                )
            )
            return "nothing"
        } catch {
            return "\(error)"
        }
    }

    @Test func `a file that isn't there, or that nobody may read, is named`() throws {
        let missing = directory.file("missing.pem")
        #expect(
            fault(certificate: missing)
                == "tls.certificate: there is no file '\(missing)'; put it there or correct the path"
        )
        #expect(
            fault(privateKey: missing)
                == "tls.private_key: there is no file '\(missing)'; put it there or correct the path"
        )
        #expect(
            fault(certificate: directory.path)
                == "tls.certificate: '\(directory.path)' can't be read: is a directory; give a file in PEM"
        )
        // Where nobody may pass, nobody may read either; but root may.
        let beyond = "\(good.files.certificate)/more.pem"
        #expect(
            fault(certificate: beyond)
                == "tls.certificate: '\(beyond)' can't be read: not a directory; let the daemon's user read it"
        )
    }

    @Test func `what is no certificate or key is refused`() throws {
        let text = try write("hello\n")
        #expect(
            fault(certificate: text)
                == "tls.certificate: '\(text)' is no certificate in PEM; give a file with '-----BEGIN CERTIFICATE-----'"
        )
        #expect(
            fault(privateKey: text)
                == "tls.private_key: '\(text)' is no private key in PEM; give a file with '-----BEGIN PRIVATE KEY-----'"
        )
        let broken = try write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        #expect(fault(certificate: broken).hasPrefix("tls.certificate: '\(broken)' is no certificate in PEM; "))
        let endless = try write(String(repeating: "x", count: (1 << 20) + 1))
        #expect(
            fault(certificate: endless) == "tls.certificate: '\(endless)' is larger than 1 MiB; give a file in PEM"
        )
    }

    /// Makes a key of a kind, named as by `openssl genpkey`, and a certificate for it.
    private func make(_ kind: [String]) throws -> TLSFiles {
        let files = TLSFiles(certificate: directory.file("kind.crt"), privateKey: directory.file("kind.key"))
        let options = kind.dropFirst().flatMap { ["-pkeyopt", $0] }
        try Shell.run("openssl", ["genpkey", "-algorithm", kind[0], "-out", files.privateKey] + options)
        try Shell.run(
            "openssl",
            ["req", "-x509", "-key", files.privateKey, "-out", files.certificate, "-subj", "/CN=localhost"]
                + ["-addext", "subjectAltName=DNS:localhost"]
        )
        return files
    }

    @Test(arguments: [
        ["EC", "ec_paramgen_curve:P-256"], ["EC", "ec_paramgen_curve:P-384"], ["EC", "ec_paramgen_curve:P-521"],
        ["ED25519"], ["RSA", "rsa_keygen_bits:2048"],
    ])
    func `these kinds of keys are taken, and clients too`(_ kind: [String]) async throws {
        let files = try make(kind)
        let identity = try TLSIdentity(files)
        let options = ServerOptions.with { $0.tls = identity }
        try await withServer(feeds: [HandFedTable(rows: 1).feed], options: options) { _, port in
            let url = "https://localhost:\(port)/healthz"
            let answer = try Shell.run("curl", ["-sS", "--cacert", files.certificate, url])
            #expect(answer.contains("ok"))
        }
    }

    @Test(arguments: [
        ["RSA-PSS", "rsa_keygen_bits:2048"], ["EC", "ec_paramgen_curve:secp256k1"], ["ED448"],
        ["EC", "ec_paramgen_curve:P-224"],
    ])
    func `other kinds of keys are refused as such`(_ kind: [String]) throws {
        let files = try make(kind)
        let fault = fault(certificate: files.certificate, privateKey: files.privateKey)
        let places = [
            "tls.private_key: '\(files.privateKey)' has a key of a kind that isn't supported, or a damaged one; give a key of ",
            "tls.certificate: '\(files.certificate)' is for a kind of key that isn't supported; give one for ",
        ]
        #expect(places.map { $0 + "P-256, P-384, P-521, Ed25519 or RSA" }.contains(fault), "\(fault)")
    }

    @Test func `a key that belongs to another certificate is refused`() throws {
        let other = try TestCertificate()
        let (certificate, key) = (good.files.certificate, other.files.privateKey)
        #expect(
            fault(privateKey: key)
                == "tls.private_key: '\(key)' is not the key of the certificate '\(certificate)', whose own is the first in "
                + "its file; give the two that belong together"
        )
    }

    @Test(arguments: [["pkcs8", "-topk8"], ["ec", "-aes256"]])
    func `an encrypted key is refused`(_ command: [String]) throws {
        let path = directory.file("encrypted.pem")
        try Shell.run(
            "openssl",
            command + ["-in", good.files.privateKey, "-out", path, "-passout", "pass:secret"]
        )
        #expect(
            fault(privateKey: path)
                == "tls.private_key: '\(path)' is encrypted, and nobody is there to ask for its passphrase; decrypt it with "
                + "'openssl pkey' into a file that only the daemon reads"
        )
    }

    @Test func `a certificate out of its time is odd, and used`() throws {
        let now = Int(Date().timeIntervalSince1970)
        let path = good.files.certificate
        #expect(try TLSIdentity(good.files).warnings.isEmpty)
        #expect(
            try TLSIdentity(good.files, now: now + 31 * 86_400).warnings
                == ["tls.certificate: the certificate in '\(path)' has expired; renew it, then reload"]
        )
        #expect(
            try TLSIdentity(good.files, now: now - 86_400).warnings
                == ["tls.certificate: '\(path)' isn't valid yet; look at this machine's clock"]
        )
    }

    @Test func `a chain is taken, and both files may be one`() throws {
        let other = try TestCertificate()
        let certificate = try String(contentsOfFile: good.files.certificate, encoding: .utf8)
        let root = try String(contentsOfFile: other.files.certificate, encoding: .utf8)
        let key = try String(contentsOfFile: good.files.privateKey, encoding: .utf8)
        let path = try write(key + certificate + root)
        #expect(fault(certificate: path, privateKey: path) == "nothing")
        // The other way round the key is not that of the first.
        let turned = try write(root + certificate, "turned.pem")
        #expect(fault(certificate: turned).contains("is not the key of the certificate"))
    }
}
