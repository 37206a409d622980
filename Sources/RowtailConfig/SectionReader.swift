// SPDX-License-Identifier: Apache-2.0

/// What all parts of one file share.
struct ConfigSource {
    /// The file's name in messages.
    let file: String

    /// Where `${NAME}` comes from.
    let environment: [String: String]
}

/// Reads the keys of one mapping and collects what is wrong with them.
///
/// A key is known because something reads it: `finish` reports every key that nobody asked for.
struct SectionReader {
    /// One key of the mapping with its value.
    struct Entry {
        let key: String
        let line: Int
        let value: ConfigNode
    }

    /// The keys in the order of the file, each once.
    private(set) var entries: [Entry] = []

    /// What is wrong so far, sections within included.
    private(set) var problems: [ConfigError.Problem] = []

    /// The keys that were asked for, those of sections within included.
    private(set) var keys: [ConfigKey] = []

    private let source: ConfigSource
    private let path: String?
    private let line: Int?
    private var known: [String] = []

    /// Starts on the content of a section, or on nothing.
    init(_ node: ConfigNode?, path: String?, line: Int?, source: ConfigSource) {
        self.path = path
        self.line = line
        self.source = source
        let remedy = "write keys and values, each pair on a line of its own"
        switch node?.content {
        case nil: break
        case .scalar(let scalar) where scalar.isNull: break
        case .mapping(let pairs): add(pairs)
        case .scalar(let scalar):
            report("\(scalar.text.quoted) cannot stand here; \(remedy)", line: line ?? node?.line)
        case .list: report("a list cannot stand here; \(remedy)", line: line ?? node?.line)
        case .tagged(let tag): report(tagged: tag, line: line ?? node?.line)
        }
    }

    private mutating func add(_ pairs: [(key: ConfigNode, value: ConfigNode)]) {
        var merged: [ConfigNode] = []
        for (keyNode, value) in pairs {
            guard case .scalar(let scalar) = keyNode.content else {
                report("a list or mapping cannot be a key; write a name", line: keyNode.line)
                continue
            }
            let key = scalar.text
            if key == "<<", scalar.isPlain {
                merged.append(value)
            } else if let first = entry(key) {
                report("given twice, first in line \(first.line); remove one", key: key, line: keyNode.line)
            } else {
                entries.append(Entry(key: key, line: keyNode.line, value: value))
            }
        }
        for node in merged {
            merge(node)
        }
    }

    /// Adds the keys of a mapping, or of several, that `<<` names; what the section says itself comes first.
    private mutating func merge(_ node: ConfigNode) {
        switch node.content {
        case .mapping:
            let other = SectionReader(node, path: path, line: line, source: source)
            entries += other.entries.filter { entry($0.key) == nil }
        case .list(let nodes):
            for node in nodes {
                merge(node)
            }
        default:
            report("can only take in a mapping; write '<<: *ANCHOR'", key: "<<", line: node.line)
        }
    }

    // MARK: - Reporting

    /// Reports what is wrong with a key, or with the section itself, at its line.
    mutating func report(_ message: String, key: String? = nil, line: Int? = nil) {
        let keyPath = [path, key?.printable].compactMap(\.self).joined(separator: ".")
        problems.append(
            ConfigError.Problem(
                place: source.file,
                line: line ?? key.flatMap(entry)?.line ?? self.line,
                keyPath: keyPath.isEmpty ? nil : keyPath,
                message: message
            )
        )
    }

    private mutating func report(tagged tag: String, key: String? = nil, line: Int? = nil) {
        report("the tag \(tag.quoted) has no meaning here; remove it", key: key, line: line)
    }

    /// Whether the key is there, whatever its value is.
    func has(_ key: String) -> Bool {
        entry(key) != nil
    }

    private func entry(_ key: String) -> Entry? {
        entries.first { $0.key == key }
    }

    // MARK: - Reading

    /// Notes a key that somebody asks for; `standard` is what counts when it is missing.
    private mutating func know(_ key: String, _ type: String, range: String? = nil, standard: String? = nil) {
        known.append(key)
        let standard = standard.flatMap { $0.isEmpty ? nil : $0 }
        keys.append(ConfigKey(path: keyPath(key), type: type, standard: standard, range: range))
    }

    private func keyPath(_ key: String) -> String {
        path.map { "\($0).\(key)" } ?? key
    }

    /// Reads a key that holds one value; the target stays as it is when the key is missing or wrong.
    mutating func read<Value>(_ key: String, _ parser: ValueParser<Value>, into target: inout Value) {
        know(key, parser.type, range: parser.range, standard: parser.write(target))
        guard let entry = entry(key), let value = scalar(entry.value, of: entry, with: parser) else { return }
        target = value
    }

    /// Reads a key that may be missing.
    mutating func read<Value>(_ key: String, _ parser: ValueParser<Value>, into target: inout Value?) {
        know(key, parser.type, range: parser.range, standard: target.map(parser.write))
        guard let entry = entry(key), let value = scalar(entry.value, of: entry, with: parser) else { return }
        target = value
    }

    /// Reads a key that holds a list without repetitions; the target stays as it is when the key is missing or wrong.
    ///
    /// With `acceptsSingle`, one value may stand for a list of one. `emptyRemedy` is what to do about an empty list;
    /// without it, the list may be empty.
    mutating func list<Value: Equatable>(
        _ key: String,
        of parser: ValueParser<Value>,
        acceptsSingle: Bool = false,
        emptyRemedy: String? = nil,
        into target: inout [Value]
    ) {
        let written = target.map(parser.write)
        know(
            key,
            acceptsSingle ? "\(parser.type) or list" : "list",
            range: parser.range,
            standard: acceptsSingle && written.count == 1 ? written[0] : "[\(written.joined(separator: ", "))]"
        )
        target = items(key, of: parser, acceptsSingle: acceptsSingle, emptyRemedy: emptyRemedy) ?? target
    }

    /// Reads such a list that may be missing.
    mutating func list<Value: Equatable>(
        _ key: String,
        of parser: ValueParser<Value>,
        acceptsSingle: Bool = false,
        emptyRemedy: String,
        into target: inout [Value]?
    ) {
        know(key, acceptsSingle ? "\(parser.type) or list" : "list", range: parser.range)
        target = items(key, of: parser, acceptsSingle: acceptsSingle, emptyRemedy: emptyRemedy) ?? target
    }

    /// The values of a list; `nil` when the key is missing or anything in it is wrong.
    private mutating func items<Value: Equatable>(
        _ key: String,
        of parser: ValueParser<Value>,
        acceptsSingle: Bool,
        emptyRemedy: String?
    ) -> [Value]? {
        guard let entry = entry(key) else { return nil }
        let nodes: [ConfigNode]
        switch entry.value.content {
        case .list(let items):
            nodes = items
        case .scalar(let scalar) where !acceptsSingle && !scalar.isNull:
            let item = scalar.isPlain ? scalar.text.printable : scalar.text.quoted
            report("\(scalar.text.quoted) is not a list; write [\(item)]", key: key)
            return nil
        default:
            nodes = [entry.value]
        }
        if nodes.isEmpty, let emptyRemedy {
            report("the list is empty; \(emptyRemedy)", key: key)
        }
        var values: [Value] = []
        for node in nodes {
            guard let value = scalar(node, of: entry, with: parser) else { continue }
            if values.contains(value) {
                report("\(String(describing: value).quoted) is listed twice; remove one", key: key, line: node.line)
            }
            values.append(value)
        }
        return values.count == nodes.count ? values : nil
    }

    /// Reads a key that holds keys of its own, also when it is missing.
    mutating func section(_ key: String, _ body: (inout SectionReader) -> Void) {
        know(key, "section")
        read(entry(key), named: key, body)
    }

    /// Reads a key whose keys are names chosen by the user, in the order of the file.
    mutating func namedSections(_ key: String, _ body: (_ name: String, inout SectionReader) -> Void) {
        section(key) { names in
            for entry in names.entries {
                names.know(entry.key, "section")
                names.read(entry, named: entry.key) { body(entry.key, &$0) }
            }
        }
    }

    private mutating func read(_ entry: Entry?, named name: String, _ body: (inout SectionReader) -> Void) {
        var reader = SectionReader(entry?.value, path: keyPath(name.printable), line: entry?.line, source: source)
        body(&reader)
        reader.finish()
        problems += reader.problems
        keys += reader.keys
    }

    /// Reports the keys that nobody read, and so must come last.
    mutating func finish() {
        for entry in entries where !known.contains(entry.key) {
            let remedy =
                KeySuggestion.closest(to: entry.key, among: known).map { "did you mean '\($0)'?" }
                ?? "known here: \(known.joined(separator: ", "))"
            report("unknown key; \(remedy)", key: entry.key)
        }
    }

    private mutating func scalar<Value>(
        _ node: ConfigNode,
        of entry: Entry,
        with parser: ValueParser<Value>
    ) -> Value? {
        let key = entry.key
        // The key's line for its value, the line of the item in a list.
        let line = max(entry.line, node.line)
        switch node.content {
        case .list: report("a list cannot stand here; write a single value", key: key, line: line)
        case .mapping: report("keys cannot stand here; write a single value", key: key, line: line)
        case .tagged(let tag): report(tagged: tag, key: key, line: line)
        case .scalar(let written):
            let (scalar, errors) = written.expanded(with: source.environment)
            for error in errors {
                report(error.message, key: key, line: line)
            }
            guard errors.isEmpty else { return nil }
            guard !scalar.isNull else {
                report("there is no value; give one or remove the key", key: key, line: line)
                return nil
            }
            do {
                return try parser.parse(scalar)
            } catch {
                report(error.message, key: key, line: line)
            }
        }
        return nil
    }
}
