# SPDX-License-Identifier: Apache-2.0
"""Writes the same at random to a database without and with capture, and compares everything that an application sees.

Usage: capture_differs.py ROWTAIL ROUNDS SEED

`capture install` is run on every second file. Both must give the same results, errors, changes(), last_insert_rowid()
and rows; and the log of the second, replayed from an empty table, must give its rows. Runs in python's own sqlite3, or,
with ROWTAIL_TEST_APSW set, in the SQLite that comes with the package apsw.
"""

import math
import os
import random
import re
import subprocess
import sys
import tempfile

if os.environ.get("ROWTAIL_TEST_APSW"):
    import apsw

    VERSION = apsw.sqlite_lib_version()

    class Connection:
        def __init__(self, path):
            self.handle = apsw.Connection(path)
            self.run = lambda sql, values=(): list(self.handle.execute(sql, values))

        def close(self):
            self.handle.close()

    Failure = apsw.Error
else:
    import sqlite3

    VERSION = sqlite3.sqlite_version

    class Connection:
        def __init__(self, path):
            self.handle = sqlite3.connect(path, isolation_level=None)
            self.handle.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            self.run = lambda sql, values=(): self.handle.execute(sql, values).fetchall()

        def close(self):
            self.handle.close()

    Failure = sqlite3.Error

# A table that refers to itself has an update trigger on both sides: without any, SQLite takes rows in REPLACE INTO that
# break the reference.
AUDIT = "CREATE TABLE audit (n); CREATE TRIGGER audited AFTER UPDATE ON t BEGIN INSERT INTO audit VALUES (NEW.id); END;"

# Schemas of the table t, and what the configuration says of its key.
SCHEMAS = [
    ("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b REAL, u UNIQUE);", None),
    ("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT, b NUMERIC, u TEXT COLLATE NOCASE UNIQUE);", None),
    ("CREATE TABLE t (a, b INTEGER, id TEXT PRIMARY KEY, u);", None),
    ("CREATE TABLE t (id TEXT COLLATE NOCASE, a, b, u, PRIMARY KEY (id, u)) WITHOUT ROWID;", None),
    ("CREATE TABLE t (id INT, a, b, u, PRIMARY KEY (id DESC)) WITHOUT ROWID; CREATE UNIQUE INDEX x ON t (u, a);", None),
    ("CREATE TABLE t (id INTEGER PRIMARY KEY ON CONFLICT REPLACE, a NOT NULL ON CONFLICT IGNORE, b, u UNIQUE ON CONFLICT REPLACE);", None),
    ("CREATE TABLE t (id, a, b, u); CREATE UNIQUE INDEX x ON t (id COLLATE NOCASE); CREATE UNIQUE INDEX y ON t (u, b);", "id"),
    ("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, u AS (a || b) STORED UNIQUE, v AS (typeof(a)) VIRTUAL);", None),
    ("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, u REFERENCES t (id) ON DELETE SET NULL UNIQUE);" + AUDIT, None),
    ("CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE, b REFERENCES t (id) ON DELETE CASCADE, u UNIQUE);" + AUDIT, None),
    (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, u UNIQUE);"
        "CREATE TRIGGER touched AFTER UPDATE OF a ON t BEGIN UPDATE t SET b = coalesce(b, 0) + 1 WHERE id = NEW.id; END;"
        "CREATE TRIGGER made AFTER INSERT ON t BEGIN UPDATE t SET b = 'new' WHERE id = NEW.id; END;",
        None,
    ),
    (
        'CREATE TABLE t (id INTEGER PRIMARY KEY, a, "b" CHECK (b IS NULL OR b <> 3), u UNIQUE);'
        "CREATE TRIGGER first BEFORE INSERT ON t BEGIN UPDATE t SET b = 'old' WHERE a IS NEW.a; END;",
        None,
    ),
]

TEXTS = ["", "a", "A", "b", "B", "it's", "x,y", "''", "NULL", "\u00e4\U0001f980", "1", "1.0", "nul\x00inside", "\n", "longer " * 40]


def value(r):
    kind = r.randrange(8)
    if kind < 3:
        return r.randint(-1, 7)
    if kind == 3:
        return r.choice(TEXTS)
    if kind == 4:
        return r.choice([0.5, 1.0, -2.5, r.random(), r.uniform(-1e6, 1e6), 1e300, 1.7e308, 5e-324, float("inf"), 19.99])
    if kind == 5:
        # No bytes that are half of a surrogate pair, as they end up in texts of UTF-16 too.
        return r.choice([b"", b"\x00", b"a", bytes(range(128))])
    return None if kind == 6 else r.randint(0, 4)


def statement(r, columns, has_rowid_key):
    def fitting(name):
        # A failed conversion to a rowid leaves the earlier rows of a statement in place when the table has no triggers: SQLite
        # prepares to take rows back only where a constraint may fail.
        return r.choice([None, *range(-2, 8)]) if has_rowid_key and name == "id" else value(r)

    kind = r.choice(["INSERT"] * 3 + ["REPLACE"] * 3 + ["IGNORE", "FAIL", "ABORT", "UPSERT", "NOTHING", "UPDATE", "UPDATE"]
                    + ["UPDATE OR REPLACE"] * 2 + ["UPDATE OR IGNORE", "UPDATE OR FAIL", "DELETE", "SELECT", "RETURNING"])
    names = [name for name in columns if r.random() < 0.8] or ["a"]
    if kind.startswith("UPDATE"):
        sets = ", ".join(f"{name} = ?" for name in names[:2])
        values = [fitting(name) for name in names[:2]]
        if r.random() < 0.3:
            return f"{kind} t SET {sets}", values
        # No index, as with triggers SQLite may choose another one, and so another order of the rows.
        return f"{kind} t SET {sets} WHERE +{r.choice(columns)} >= ?", values + [value(r)]
    if kind == "DELETE":
        return f"DELETE FROM t WHERE {r.choice(columns)} {r.choice(['=', '>', '<'])} ?", [value(r)]
    conflict = kind if kind in ("REPLACE", "IGNORE", "FAIL", "ABORT") else None
    insert = f"INSERT{f' OR {conflict}' if conflict else ''} INTO t ({', '.join(names)}) "
    if kind == "SELECT":
        picked = ", ".join(f"{r.choice(['', '-', ''])}{name if name == 'id' else r.choice(names)}" for name in names)
        return f"{insert.replace('INSERT', r.choice(['INSERT', 'REPLACE', 'INSERT OR IGNORE']))} SELECT {picked} FROM t LIMIT 3", []
    rows = r.choice([1, 1, 2, 3])
    sql = insert + "VALUES " + ", ".join("(" + ", ".join("?" for _ in names) + ")" for _ in range(rows))
    values = [fitting(name) for name in names * rows]
    if kind == "UPSERT":
        target, changed = r.choice(["", "(u) ", "(id) "]), r.choice(columns)
        return sql + f" ON CONFLICT {target}DO UPDATE SET {changed} = excluded.{'id' if changed == 'id' else names[0]}", values
    if kind == "NOTHING":
        return sql + " ON CONFLICT DO NOTHING", values
    if kind == "RETURNING":
        return sql + " RETURNING *", values
    return sql, values


def observe(connection, sql, values):
    try:
        rows = connection.run(sql, values)
    except Failure as error:
        rows = str(error)
    changes, rowid = connection.run("SELECT changes(), last_insert_rowid()")[0]
    return repr((rows, changes)), rowid


def contents(connection):
    return sorted(repr(row) for row in connection.run("SELECT * FROM t"))


VALUE = re.compile(r"(NULL)|('(?:[^']|'')*')|(T?X'[0-9A-F]*')|([^,&]+)(?:&([^,]+))?")


def exact(text, rest):
    """The number that a text gives, or its neighbour, whichever has the lower half that is written after it."""

    def lower(number):
        product = number * 134217729.0
        return number - (product - (product - number))

    number = float(text)
    if rest is None or rest == "NULL":
        return number
    neighbours = [number, math.nextafter(number, math.inf), math.nextafter(number, -math.inf)]
    return min(neighbours, key=lambda other: abs(lower(other) - float(rest)))


def decode(image, encoding):
    """The values of an image, read by nothing that rowtail is made of."""
    values, at = [], 0
    while at <= len(image):
        match = VALUE.match(image, at)
        null, text, blob, number, rest = match.groups()
        if null:
            values.append(None)
        elif text is not None:
            values.append(text[1:-1].replace("''", "'"))
        elif blob:
            raw = bytes.fromhex(blob[blob.index("'") + 1 : -1])
            values.append(raw.decode(encoding, "surrogateescape") if blob[0] == "T" else raw)
        else:
            values.append(exact(number, rest) if re.search("[.eIn]", number) else int(number))
        at = match.end()
        assert at == len(image) or image[at] == ",", image
        at += 1
    return values


def names(text):
    return decode(text, "utf-8")


def replay(connection, encoding, is_nested):
    layouts = {row[0]: (names(row[1]), names(row[2])) for row in connection.run("SELECT id, columns, key FROM rowtail_capture")}
    rows = []
    for seq, capture, op, before, after in connection.run("SELECT seq, capture, op, before, after FROM rowtail_log ORDER BY seq"):
        columns, key = layouts[capture]
        keys = []
        for image in (before, after):
            if image is not None:
                values = decode(image, encoding)
                assert len(values) == len(columns), f"entry {seq}: {len(values)} values"
                keys.append([repr(values[columns.index(name)]) for name in key])
                row = tuple(values)
                if image is before:
                    # Not only the key: the row as it was, to the byte. But what SQLite calls OLD is the row at the beginning of
                    # the update, though the update itself may have caused another one of the same row.
                    def same(other):
                        return repr(other[0] if is_nested else other) == repr(row[0] if is_nested else row)

                    found = [index for index, other in enumerate(rows) if same(other)]
                    assert found, f"entry {seq}: {op} of {row}, which isn't there"
                    del rows[found[0]]
                else:
                    rows.append(row)
        expected = {"insert": (False, True), "update": (True, True), "delete": (True, False)}[op]
        assert (before is not None, after is not None) == expected, f"entry {seq}: images of {op}"
        assert len(keys) == 1 or keys[0] == keys[1], f"entry {seq}: update from {keys[0]} to {keys[1]}"
    return sorted(repr(row) for row in rows)


def run(rowtail, seed, number):
    r = random.Random(f"{seed}/{number}")
    schema, key = SCHEMAS[number % len(SCHEMAS)]
    encoding = r.choice(["UTF-8", "UTF-8", "UTF-16le"])
    recursive, trusted, foreign = r.randrange(2), r.randrange(2), r.randrange(2)
    # Before an update, SQLite doesn't know yet what a generated column will be: `capture install` warns of it.
    recursive |= " AS " in schema
    # An UPDATE OR REPLACE that puts a row in its parent's place deletes the parent, and with it the row itself, so that no
    # trigger fires after it: the parent is logged with the next write alone.
    recursive |= foreign and "CASCADE" in schema
    if recursive:
        # SQLite 3.40 refuses an UPDATE OR REPLACE that it should not once a table has any delete trigger, if it is recursive.
        schema += "CREATE TRIGGER deleted AFTER DELETE ON t BEGIN SELECT 1; END;"
    done = []
    with tempfile.TemporaryDirectory() as folder:
        connections = []
        for side in ("plain", "captured"):
            path = f"{folder}/{side}.db"
            connection = Connection(path)
            for part in [f"PRAGMA encoding = '{encoding}'"]:
                connection.run(part)
            for part in re.findall(r"\s*(?:CREATE TRIGGER.*?END;|.*?;)", schema):
                connection.run(part)
            if side == "captured":
                config = f"{folder}/rowtail.yaml"
                with open(config, "w", encoding="utf-8") as file:
                    file.write(f"database: {path}\nfeeds: {{t: {{mode: log{f', key: {key}' if key else ''}}}}}\n")
                subprocess.run([rowtail, "capture", "install", "t", "--config", config], check=True, capture_output=True)
            for pragma in (f"recursive_triggers = {recursive}", f"trusted_schema = {trusted}", f"foreign_keys = {foreign}"):
                connection.run(f"PRAGMA {pragma}")
            connections.append(connection)
        columns = [name for name in ("id", "a", "b", "u") if not (name == "u" and " AS " in schema)]
        depth, is_spoilt = 0, False
        try:
            for _ in range(60):
                turn = r.randrange(12)
                if turn == 0:
                    depth += 1
                    step = f"SAVEPOINT s{depth}", []
                elif turn == 1 and depth:
                    step = r.choice([f"ROLLBACK TO s{depth}", f"RELEASE s{depth}"]), []
                    depth -= step[0].startswith("RELEASE")
                else:
                    step = statement(r, columns, "id INTEGER PRIMARY KEY" in schema)
                done.append(step)
                plain, captured = [observe(connection, *step) for connection in connections]
                # With triggers of any kind, SQLite looks at foreign keys after the row was written, not before: then
                # last_insert_rowid() is that of the row that was refused, until the next insert.
                is_spoilt = plain[1] != captured[1] and ("FOREIGN KEY" in plain[0] or is_spoilt)
                assert plain[:1 if is_spoilt else 2] == captured[:1 if is_spoilt else 2], f"{plain} without, {captured} with"
                plain, captured = [contents(connection) for connection in connections]
                assert plain == captured, f"{plain} without, {captured} with"
            while depth:
                for connection in connections:
                    connection.run(f"RELEASE s{depth}")
                depth -= 1
            replayed = replay(connections[1], encoding, "REFERENCES" in schema or "BEFORE" in schema)
            assert replayed == captured, f"replayed {set(replayed) - set(captured)}, not {set(captured) - set(replayed)}"
            return connections[1].run("SELECT count(*) FROM rowtail_log")[0][0]
        except AssertionError as error:
            print(f"round {number}, {schema}\n{encoding} recursive {recursive} trusted {trusted} foreign {foreign}")
            for step in done:
                print(str(step)[:200])
            if os.environ.get("SHOW_LOG"):
                for row in connections[1].run("SELECT seq, op, before, after FROM rowtail_log"):
                    print(row)
                print(contents(connections[1]))
            print(error)
            sys.exit(1)
        finally:
            for connection in connections:
                connection.close()


def main():
    rowtail, rounds, seed = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    entries = sum(run(rowtail, seed, number) for number in range(rounds))
    print(f"SQLite {VERSION}: {rounds} rounds, {entries} entries, all the same")


main()
