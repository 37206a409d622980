# SPDX-License-Identifier: Apache-2.0
"""Checks what neither the compiler nor swift-format does; prints `path:line: what; remedy` for each fault.

Run from the top of the checkout: swift format dump-configuration | python3 scripts/lib/check_sources.py
"""

import json
import pathlib
import re
import sys

LICENCE = "// SPDX-License-Identifier: Apache-2.0"
MAXIMUM_LINES = 400

# The modules of this package that each one may import. A folder below Sources that isn't here is a fault.
ARROWS = {
    "RowtailCore": set(),
    "EventStream": {"RowtailCore"},
    "SQLiteSource": {"RowtailCore"},
    "StreamServer": {"EventStream", "RowtailCore"},
    "RowtailConfig": {"RowtailCore"},
    "ServiceManager": set(),
    "StreamProbe": set(),
    "rowtail": {
        "RowtailCore",
        "EventStream",
        "SQLiteSource",
        "StreamServer",
        "RowtailConfig",
        "ServiceManager",
        "StreamProbe",
    },
}

# The folders that may import a heavy dependency.
SQLITE = {"Sources/SQLiteSource", "Tests/SQLiteSourceTests", "Tests/TestSupport"}
HTTP = {"Sources/StreamProbe", "Sources/StreamServer"}
HOMES = {
    "GRDB": SQLITE,
    "GRDBSQLite": SQLITE,
    "Yams": {"Sources/RowtailConfig"},
    "ArgumentParser": {"Sources/rowtail"},
    "ServiceLifecycle": {"Sources/rowtail"},
    "UnixSignals": {"Sources/rowtail"},
    "NIOPosix": {"Sources/SQLiteSource", "Sources/StreamProbe", "Sources/StreamServer", "Sources/rowtail"},
    "NIOHTTP1": HTTP,
    "NIOHPACK": HTTP,
    "NIOHTTP2": HTTP,
    "NIOHTTPTypes": {"Sources/StreamServer"},
    "NIOHTTPTypesHTTP1": {"Sources/StreamServer"},
    "HTTPTypes": {"Sources/StreamServer"},
    "NIOSSL": HTTP,
    "NIOTLS": HTTP,
}
# Tests may use the rest to drive what they test.
HOMES_IN_TESTS = {"GRDB", "GRDBSQLite"}

# Comments, strings and raw identifiers: what has to go before code is looked at.
NOT_CODE = re.compile(
    r'//[^\n]*|/\*.*?\*/|(#+)"""\n.*?"""\1|(#+)"[^\n]*?"\2'
    r'|"""\n(?:\\.|.)*?"""|"(?:\\[^\n]|[^"\\\n])*"|`[^`\n]*`',
    re.DOTALL,
)
IMPORT = re.compile(r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:\w+\s+)?import\s+(?:[a-z]+\s+)?(\w+)")
PACKAGE_DECLARATION = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:\w+(?:\(\w+\))?\s+)*package\s+(?!import\b)"
    r"(?:\w+(?:\(\w+\))?\s+)*(?:actor|class|enum|extension|func|init|let|macro|protocol|struct|subscript|typealias|var)\b"
)

faults = []


def fault(path, line, message):
    faults.append(f"{path}:{line}: {message}")


def check_format_configuration(path, known):
    """swift-format ignores keys and rules that it doesn't know without a word."""
    text = pathlib.Path(path).read_text(encoding="utf-8")

    def compare(mine, theirs, kind):
        for key, value in mine.items():
            if key not in theirs:
                line = text[: text.find(f'"{key}"')].count("\n") + 1
                fault(path, line, f"unknown {kind} '{key}'; see swift format dump-configuration")
            elif isinstance(value, dict) and isinstance(theirs[key], dict):
                compare(value, theirs[key], "rule" if key == "rules" else "key")

    compare(json.loads(text), known, "key")


def is_documented(lines, code, index):
    """Whether a `///` comment stands above the declaration, attributes aside."""
    depth = 0
    for above in range(index - 1, -1, -1):
        # Attributes may span lines: walk to the one with their opening parenthesis.
        depth += code[above].count(")") - code[above].count("(")
        stripped = lines[above].strip()
        if depth <= 0 and not stripped.startswith(("@", "// swift-format-ignore")):
            return stripped.startswith("///")
    return False


def check_imports(path, folder, number, module):
    home = HOMES.get(module)
    if home and folder not in home and (path.parts[0] == "Sources" or module in HOMES_IN_TESTS):
        fault(path, number, f"imports '{module}'; only {', '.join(sorted(home))} may")
    if path.parts[0] == "Sources" and module in ARROWS and module not in ARROWS.get(path.parts[1], ARROWS):
        fault(path, number, f"'{path.parts[1]}' imports '{module}'; see the arrows in scripts/lib/check_sources.py")


def check_source(path):
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    code = NOT_CODE.sub(lambda match: "\n" * match.group().count("\n"), text).splitlines()
    in_sources = path.parts[0] == "Sources"
    folder = "/".join(path.parts[:2])

    licence_line = 2 if path.name == "Package.swift" else 1
    if lines[licence_line - 1 : licence_line] != [LICENCE]:
        fault(path, licence_line, f"no licence line; write '{LICENCE}'")
    if len(lines) > MAXIMUM_LINES:
        fault(path, len(lines), f"more than {MAXIMUM_LINES} lines; split the file")

    for index, line in enumerate(code):
        number = index + 1
        found = IMPORT.match(line)
        if found:
            check_imports(path, folder, number, found.group(1))
        if in_sources:
            if PACKAGE_DECLARATION.match(line) and not is_documented(lines, code, index):
                fault(path, number, "package declaration without documentation; put a /// sentence above it")
            if re.search(r"@unchecked\s+Sendable|nonisolated\(unsafe\)", line):
                above = lines[max(0, index - 4) : index]
                if not any(text.strip().startswith("//") and "Proof:" in text for text in above):
                    fault(path, number, "unchecked concurrency; remove it or say why it is safe in a '// Proof:' above")
        elif path.parts[0] == "Tests":
            if re.search(r"\bTask(<.*>)?\.sleep\b", line):
                fault(path, number, "sleeps; await the fact that the test needs")
            if ".disabled(" in line:
                fault(path, number, "disabled test; repair or delete it")


check_format_configuration(".swift-format", json.load(sys.stdin))
sources = [path for top in ("Sources", "Tests") for path in sorted(pathlib.Path(top).rglob("*.swift"))]
for path in [pathlib.Path("Package.swift"), *sources]:
    check_source(path)
for module in sorted({path.parts[1] for path in sources if path.parts[0] == "Sources"} - ARROWS.keys()):
    fault(f"Sources/{module}", 1, "unknown module; say in scripts/lib/check_sources.py what it may import")

print("\n".join(faults), end="\n" if faults else "", file=sys.stderr)
sys.exit(1 if faults else 0)
