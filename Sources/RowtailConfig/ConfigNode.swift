// SPDX-License-Identifier: Apache-2.0

import Yams

/// A place in the tree of a YAML file.
///
/// Nothing outside this file knows Yams.
///
/// Scalars are never resolved to YAML types: the key decides what its value means. So `on`, `no` and `1.10` are taken
/// as they are written, as feed names and as values.
struct ConfigNode {
    private let node: Node

    /// What stands at the place.
    enum Content {
        case scalar(ScalarText)
        case list([ConfigNode])
        case mapping([(key: ConfigNode, value: ConfigNode)])

        /// Anything with an explicit tag that would change its meaning, such as `!!binary`.
        case tagged(String)
    }

    /// The line it begins in, counted from 1.
    var line: Int {
        node.mark?.line ?? 1
    }

    /// What stands here; an alias has the content of its anchor.
    var content: Content {
        let tag = node.tag.rawValue
        guard [Tag.Name.str, .seq, .map].map(\.rawValue).contains(tag) else {
            return .tagged(tag)
        }
        switch node {
        case .scalar(let scalar):
            // Single and double quotes and the block styles all say: this is text.
            return .scalar(ScalarText(text: Self.unmarked(scalar.string), isPlain: scalar.style == .plain))
        case .sequence(let sequence):
            return .list(sequence.map(ConfigNode.init))
        case .mapping(let mapping):
            return .mapping(mapping.map { (ConfigNode(node: $0.key), ConfigNode(node: $0.value)) })
        case .alias(let alias):
            return .tagged("*\(alias.anchor.rawValue)")
        }
    }
}

// MARK: - Reading a file

/// Why a text is no YAML.
struct ConfigSyntaxError: Error {
    /// The line where reading stopped.
    let line: Int?

    /// What is wrong, with the remedy.
    let message: String
}

extension ConfigNode {
    /// Put in front of a repeated key, so that Yams reads on and every repetition can be reported with the rest.
    ///
    /// A character for private use, which YAML allows and nobody types.
    private static let mark: Unicode.Scalar = "\u{F8FF}"

    /// Reads a text as one YAML document.
    ///
    /// - Returns: `nil` when the text is empty but for comments.
    static func root(of text: String) throws(ConfigSyntaxError) -> ConfigNode? {
        var text = text
        // libyaml takes a byte order mark for content when it is told the encoding.
        if text.unicodeScalars.first == "\u{FEFF}" {
            text.unicodeScalars.removeFirst()
        }
        // Each round marks one key. A file with more repetitions, or keys that can't be marked, gets a plain error.
        for _ in 0..<100 {
            do {
                return try compose(yaml: text, .basic, .default, .utf8).map(ConfigNode.init)
            } catch let error as YamlError {
                if case .duplicatedKeysInMapping(_, let context) = error, let marked = marking(text, at: context.mark) {
                    text = marked
                    continue
                }
                let error = ConfigSyntaxError(error)
                // At the end of the text libyaml stands in the line after the last one.
                let last = text.count(where: \.isNewline) + 1
                throw ConfigSyntaxError(line: error.line.map { min($0, last) }, message: error.message)
            } catch {
                throw ConfigSyntaxError(line: nil, message: "not valid YAML: \(error)")
            }
        }
        throw ConfigSyntaxError(line: nil, message: "too many keys are given twice; remove the repetitions")
    }

    private static func unmarked(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.drop { $0 == mark }))
    }

    /// Puts the mark before the key at a place, behind its quote.
    private static func marking(_ text: String, at place: Yams.Mark) -> String? {
        var scalars = text.unicodeScalars
        // libyaml counts lines by these breaks, with CR LF as one, and columns by scalars.
        let breaks: Set<Unicode.Scalar> = ["\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"]
        var index = scalars.startIndex
        var line = 1
        while line < place.line {
            guard let lineBreak = scalars[index...].firstIndex(where: breaks.contains) else { return nil }
            index = scalars.index(after: lineBreak)
            if scalars[lineBreak] == "\r", index < scalars.endIndex, scalars[index] == "\n" {
                scalars.formIndex(after: &index)
            }
            line += 1
        }
        guard scalars.formIndex(&index, offsetBy: place.column - 1, limitedBy: scalars.endIndex),
            index < scalars.endIndex, !"&*!?|>[{".unicodeScalars.contains(scalars[index])
        else { return nil }
        if scalars[index] == "'" || scalars[index] == "\"" {
            scalars.formIndex(after: &index)
        }
        scalars.insert(mark, at: index)
        return String(scalars)
    }
}

extension ConfigSyntaxError {
    fileprivate init(_ error: YamlError) {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _):
            let situation = context.map { " \($0.text) that begins in line \($0.mark.line)" } ?? ""
            self.init(
                line: mark.line,
                message: "not valid YAML, \(problem)\(situation); check indentation, colons and quotes there"
            )
        case .composer(let context, let problem, let mark, _) where context == nil:
            self.init(line: mark.line, message: "not valid YAML, \(problem); define the anchor above its use")
        case .composer(_, _, let mark, _):
            self.init(line: mark.line, message: "a second YAML document begins; keep one")
        case .reader(let problem, let offset, _, let yaml):
            let line = offset.map { yaml.prefix($0).count { $0.isNewline } + 1 }
            self.init(line: line, message: "not valid YAML, \(problem); remove the character")
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.map(\.quoted).joined(separator: ", ")
            self.init(line: context.mark.line, message: "given twice: \(names); remove the repetition")
        default:
            self.init(line: nil, message: "not valid YAML: \(error)")
        }
    }
}
