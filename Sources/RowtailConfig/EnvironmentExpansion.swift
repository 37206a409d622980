// SPDX-License-Identifier: Apache-2.0

extension ScalarText {
    /// Puts environment variables in place of `${NAME}`; `$${` stands for a literal `${`.
    ///
    /// What a variable holds is taken as it is: not expanded again and never read as YAML structure.
    ///
    /// - Returns: The text, or what is wrong with each `${` that can't be replaced.
    func expanded(with environment: [String: String]) -> (scalar: ScalarText, errors: [ValueError]) {
        var result = ""
        var errors: [ValueError] = []
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[dollar...]
            if rest.hasPrefix("$${") {
                result += "${"
                rest.removeFirst(3)
            } else if rest.hasPrefix("${") {
                rest.removeFirst(2)
                let name = String(rest.prefix { $0.utf8.allSatisfy(\.isInVariableName) })
                rest.removeFirst(name.count)
                guard rest.first == "}", !name.isEmpty, name.utf8.first?.isDigit == false else {
                    errors.append(ValueError("'${' begins no ${NAME}; write $${ for a literal '${'"))
                    continue
                }
                rest.removeFirst()
                if let value = environment[name] {
                    result += value
                } else {
                    errors.append(
                        ValueError("environment variable '\(name)' is not set; set it or write the value here")
                    )
                }
            } else {
                result += "$"
                rest.removeFirst()
            }
        }
        return (ScalarText(text: result + rest, isPlain: isPlain), errors)
    }
}

extension UInt8 {
    fileprivate var isInVariableName: Bool { isLetter || isDigit || self == UInt8(ascii: "_") }
}
