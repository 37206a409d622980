// SPDX-License-Identifier: Apache-2.0

@testable import SQLiteSource

/// Images of rows: nothing outside of them is read, and as many values are found as are there.
enum ImageCheck {
    /// Takes the input for an image in each encoding, and for a list of names.
    static func fault(_ input: [UInt8]) -> String? {
        // Of the image's size, with the NUL that SQLite puts behind a text, so that a read past it shows.
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count + 1, alignment: 1)
        defer { memory.deallocate() }
        memory.copyBytes(from: input)
        memory[input.count] = 0
        let image = UnsafeRawBufferPointer(rebasing: memory[..<input.count])
        for encoding in [ImageDecoder.Encoding.utf8, .utf16LittleEndian, .utf16BigEndian] {
            if let fault = fault(image, encoding) { return fault }
        }
        for name in ImageDecoder.names(String(decoding: input, as: UTF8.self)) where name.utf8.count > 3 * input.count {
            return "a name of \(name.utf8.count) bytes"
        }
        return nil
    }

    private static func fault(_ image: UnsafeRawBufferPointer, _ encoding: ImageDecoder.Encoding) -> String? {
        var decoder = ImageDecoder(encoding: encoding)
        do throws(ImageDecoder.Failure) {
            try decoder.start(image)
        } catch {
            return nil
        }
        guard (1...image.count + 1).contains(decoder.count) else { return "\(decoder.count) values" }
        for index in 0..<decoder.count {
            switch try? decoder.value(index) {
            case .text(let bytes)?, .blob(let bytes)?:
                if bytes.count > 3 * image.count { return "a value of \(bytes.count) bytes" }
                _ = bytes.reduce(0) { $0 ^ $1 }
            case .integer?, .real?, .null?, nil:
                break
            }
        }
        return nil
    }
}
