// SPDX-License-Identifier: Apache-2.0

/// A single value as it stands in the file, its `${NAME}` expanded.
struct ScalarText {
    /// The value without quotes.
    var text: String

    /// Written without quotes, and so open to being a number or a truth value.
    var isPlain: Bool

    /// Written as nothing at all or as YAML's null.
    var isNull: Bool {
        isPlain && ["", "~", "null", "Null", "NULL"].contains(text)
    }
}

/// Why a value can't stand, with the remedy.
struct ValueError: Error {
    /// The text after the key's path in a problem.
    let message: String

    init(_ message: String) {
        self.message = message
    }
}

/// Turns one scalar into a value of the model, or says what is wrong with it.
struct ValueParser<Value> {
    /// What a value is, in the manual's words.
    let type: String

    /// The values that are possible; `nil` where they aren't told in few words.
    let range: String?

    /// Writes a value as it would stand in the file.
    private(set) var write: (Value) -> String = { "\($0)" }

    private let body: (ScalarText) throws(ValueError) -> Value

    init(
        _ type: String = "text",
        range: String? = nil,
        body: @escaping (ScalarText) throws(ValueError) -> Value
    ) {
        self.type = type
        self.range = range
        self.body = body
    }

    /// The same with another way of writing values.
    func writing(_ write: @escaping (Value) -> String) -> Self {
        var parser = self
        parser.write = write
        return parser
    }

    /// Reads the scalar.
    func parse(_ scalar: ScalarText) throws(ValueError) -> Value {
        try body(scalar)
    }
}

extension ValueParser<Bool> {
    /// Reads `true` or `false` and nothing else.
    static var bool: Self {
        Self("true, false") { scalar throws(ValueError) in
            guard let value = Bool(scalar.text) else {
                throw ValueError("\(scalar.text.quoted) is neither true nor false; write one of them")
            }
            guard scalar.isPlain else {
                throw ValueError("\(scalar.text.quoted) is text; remove the quotes")
            }
            return value
        }
    }
}

extension ValueParser<Int> {
    /// Reads a whole number.
    static func integer(_ range: ClosedRange<Int>) -> Self {
        Self("whole number", range: "\(range.lowerBound) to \(range.upperBound)") { scalar throws(ValueError) in
            let text = scalar.text
            guard scalar.isPlain || Int(text) == nil else {
                throw ValueError("\(text.quoted) is text; remove the quotes")
            }
            let digits = text.hasPrefix("-") ? text.utf8.dropFirst() : text.utf8[...]
            guard !digits.isEmpty, digits.allSatisfy(\.isDigit) else {
                throw ValueError("\(text.quoted) is not a whole number; write digits alone, such as 100")
            }
            // Digits that don't fit are beyond any range.
            let value = Int(text) ?? (text.hasPrefix("-") ? .min : .max)
            if value < range.lowerBound {
                throw ValueError("\(text.quoted) is too small; use \(range.lowerBound) or more")
            }
            if value > range.upperBound {
                throw ValueError("\(text.quoted) is too large; use \(range.upperBound) or less")
            }
            return value
        }
    }
}

extension ValueParser<Int?> {
    /// Reads a whole number where 0 means that there is no limit, here `nil`.
    static func limit(upTo maximum: Int) -> Self {
        let integer = ValueParser<Int>.integer(0...maximum)
        let limit = Self(integer.type, range: integer.range) { scalar throws(ValueError) in
            let value = try integer.parse(scalar)
            return value == 0 ? nil : value
        }
        return limit.writing { "\($0 ?? 0)" }
    }
}

extension ValueParser<String> {
    /// Reads text that says something: not empty, no NUL, where SQLite would cut it.
    static var text: Self {
        Self { scalar throws(ValueError) in
            if scalar.text.isEmpty {
                throw ValueError("the text is empty; give one or remove the key")
            }
            if scalar.text.utf8.contains(0) {
                throw ValueError("\(scalar.text.quoted) contains a NUL character; remove it")
            }
            return scalar.text
        }
    }
}

extension ValueParser where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// Reads the name of one of the cases.
    static var choice: Self {
        let words = Value.allCases.map(\.rawValue).joined(separator: " ")
        let choice = Self("word", range: words) { scalar throws(ValueError) in
            guard let value = Value(rawValue: scalar.text) else {
                let names = Value.allCases.map(\.rawValue)
                let remedy = names.count == 1 ? "use" : "use one of:"
                throw ValueError("\(scalar.text.quoted) is unknown; \(remedy) \(names.joined(separator: ", "))")
            }
            return value
        }
        return choice.writing(\.rawValue)
    }
}
