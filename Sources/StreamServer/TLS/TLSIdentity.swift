// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
import NIOSSL

/// Where the certificate and its key are.
package struct TLSFiles: Sendable, Hashable {
    /// The path of the certificate, with those that lead to a root after it, in PEM.
    package var certificate: String

    /// The path of the certificate's private key, in PEM, not encrypted.
    package var privateKey: String

    /// Names the two files.
    package init(certificate: String, privateKey: String) {
        self.certificate = certificate
        self.privateKey = privateKey
    }
}

/// A certificate and its key, read and found to fit: who the server is to clients that come by TLS.
///
/// It is a value that nothing changes: what is read anew at a reload is another one, for the connections that come after.
package struct TLSIdentity: Sendable {
    /// The largest file that is read.
    private static let sizeLimit = 1 << 20
    /// How long a closed connection waits for the client's farewell.
    static let farewell = Duration.milliseconds(500)
    /// For TLS 1.2: only what keeps old traffic secret when the key gets known, and can't be tampered with.
    ///
    /// TLS 1.3 has nothing else.
    private static let ciphers = "ECDH+AESGCM:ECDH+CHACHA20"
    /// The kinds of keys that BoringSSL signs TLS with.
    private static let kinds = "P-256, P-384, P-521, Ed25519 or RSA"
    /// By preference.
    private static let protocols = ["h2", "http/1.1"]

    let context: NIOSSLContext

    /// What is odd about the certificate and doesn't keep it from being used, each with the remedy; usually nothing.
    package let warnings: [String]

    /// Reads and checks the files; blocks.
    ///
    /// `now` is the time in seconds since 1970 that the certificate's validity is compared with.
    ///
    /// - Throws: ``ServerError`` with the file, the reason and the remedy.
    package init(_ files: TLSFiles, now: Int = time(nil)) throws {
        let chain = try Self.certificates(files.certificate)
        let key = try Self.key(files.privateKey)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(key)
        )
        configuration.minimumTLSVersion = .tlsv12
        configuration.cipherSuites = Self.ciphers
        configuration.applicationProtocols = Self.protocols
        configuration.shutdownTimeout = TimeAmount(Self.farewell)
        do {
            context = try NIOSSLContext(configuration: configuration)
        } catch NIOSSLError.failedToLoadPrivateKey {
            throw ServerError(
                description:
                    "tls.private_key: '\(files.privateKey)' is not the key of the certificate '\(files.certificate)', whose own "
                    + "is the first in its file; give the two that belong together"
            )
        } catch NIOSSLError.failedToLoadCertificate {
            throw ServerError(
                description: "tls.certificate: '\(files.certificate)' is for a kind of key that isn't supported; "
                    + "give one for \(Self.kinds)"
            )
        } catch {
            throw ServerError(
                description: "tls.certificate: '\(files.certificate)' can't be used: \(error); give another certificate"
            )
        }
        warnings = Self.warnings(files.certificate, chain, now)
    }

    private static func certificates(_ path: String) throws -> [NIOSSLCertificate] {
        let bytes = try read(path, of: "tls.certificate")
        guard let chain = try? NIOSSLCertificate.fromPEMBytes(bytes), !chain.isEmpty else {
            throw ServerError(
                description: "tls.certificate: '\(path)' is no certificate in PEM; "
                    + "give a file with '-----BEGIN CERTIFICATE-----'"
            )
        }
        return chain
    }

    private static func key(_ path: String) throws -> NIOSSLPrivateKey {
        let bytes = try read(path, of: "tls.private_key")
        let text = String(decoding: bytes, as: UTF8.self)
        // In the name of the block (RFC 7468), or in a line of the older format.
        if text.contains("ENCRYPTED") {
            throw ServerError(
                description: "tls.private_key: '\(path)' is encrypted, and nobody is there to ask for its passphrase; "
                    + "decrypt it with 'openssl pkey' into a file that only the daemon reads"
            )
        }
        guard let key = try? NIOSSLPrivateKey(bytes: bytes, format: .pem) else {
            // The older formats have the kind in the name.
            if ["", "EC ", "RSA ", "DSA "].contains(where: { text.contains("-----BEGIN \($0)PRIVATE KEY-----") }) {
                throw ServerError(
                    description:
                        "tls.private_key: '\(path)' has a key of a kind that isn't supported, or a damaged one; "
                        + "give a key of \(kinds)"
                )
            }
            throw ServerError(
                description: "tls.private_key: '\(path)' is no private key in PEM; "
                    + "give a file with '-----BEGIN PRIVATE KEY-----'"
            )
        }
        return key
    }

    private static func read(_ path: String, of option: String) throws -> [UInt8] {
        // Opening a pipe would wait for somebody to write to it.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let code = errno
            throw ServerError(
                description: code == ENOENT
                    ? "\(option): there is no file '\(path)'; put it there or correct the path"
                    : "\(option): '\(path)' can't be read: \(text(code)); let the daemon's user read it"
            )
        }
        defer { close(descriptor) }
        var info = stat()
        // A directory says so itself when it is read.
        guard fstat(descriptor, &info) == 0, [S_IFREG, S_IFDIR].contains(info.st_mode & S_IFMT) else {
            throw ServerError(description: "\(option): '\(path)' is no regular file; give a file in PEM")
        }
        var bytes = [UInt8](repeating: 0, count: sizeLimit + 1)
        var count = 0
        while count < bytes.count {
            let result = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress?.advanced(by: count), $0.count - count)
            }
            if result == 0 { return Array(bytes[..<count]) }
            if result < 0, errno == EINTR { continue }
            guard result > 0 else {
                throw ServerError(description: "\(option): '\(path)' can't be read: \(text(errno)); give a file in PEM")
            }
            count += result
        }
        throw ServerError(description: "\(option): '\(path)' is larger than 1 MiB; give a file in PEM")
    }

    private static func text(_ code: CInt) -> String {
        String(cString: strerror(code)).lowercased()
    }

    private static func warnings(_ path: String, _ chain: [NIOSSLCertificate], _ now: Int) -> [String] {
        if let expired = chain.first(where: { $0.notValidAfter < now }) {
            let which = expired == chain[0] ? "the certificate" : "a certificate of the chain"
            return ["tls.certificate: \(which) in '\(path)' has expired; renew it, then reload"]
        }
        if chain[0].notValidBefore > now {
            return ["tls.certificate: '\(path)' isn't valid yet; look at this machine's clock"]
        }
        return []
    }
}
