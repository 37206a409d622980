// SPDX-License-Identifier: Apache-2.0

import RowtailCore

/// Event ids and the values in them: what is read is written so that it is read again as the same.
enum IdentifierCheck {
    /// Takes every line for an id, and all of it for the value of a key's column.
    static func fault(_ input: [UInt8]) -> String? {
        for line in input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            let text = String(decoding: line, as: UTF8.self)
            guard let id = EventID(text) else { continue }
            let written = id.description
            guard let again = EventID(written), isSame(again, id) else { return "'\(written)' is not read as it was" }
            guard written.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: ",") }) else {
                return "'\(written)' can't stand in a list of ids"
            }
        }
        let bits = input.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        var values = [KeyValue.text(input), .blob(input), .integer(Int64(bitPattern: bits))]
        let real = Double(bitPattern: bits)
        if !real.isNaN { values.append(.real(real)) }
        for (index, value) in values.enumerated() {
            guard let again = KeyValue(token: value.token), isSame(again, value) else {
                return "the value '\(value.token)' is not read as it was"
            }
            for other in values[index...] where value.order(to: other) != -other.order(to: value) {
                return "'\(value.token)' and '\(other.token)' have no order"
            }
        }
        return nil
    }

    // Equal numbers of different kinds are equal, but not the same.
    private static func isSame<Value: Equatable>(_ one: Value, _ other: Value) -> Bool {
        one == other && String(describing: one) == String(describing: other)
    }
}
