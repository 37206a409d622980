# SPDX-License-Identifier: Apache-2.0
"""Stands for the application: changes five tables in every way that SQLite knows, as it follows from a seed.

write_changes.py DATABASE create JOURNAL_MODE
write_changes.py DATABASE write SEED TRANSACTIONS SECONDS

`create` makes the tables. `write` spreads so many transactions over so many seconds, and then adds a last row to each table, the
newest in every order. It prints `row TABLE JSON` for each row that there is at the end, values as rowtail writes them.
What is written depends on the seed alone, times aside.

Two rows of each table are there from the start and stay: one as it is, and one that is written again after each delete. In mode
`updated`, a daemon that was down can't tell a table of which all rows went, or the newest ones with nothing newer, from
another table or an older copy of it, and says so.
"""

import base64
import json
import math
import random
import sqlite3
import sys
import time

SCHEMA = """
-- A trigger of the application keeps the time, as text.
CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, customer TEXT, total REAL, changed TEXT NOT NULL DEFAULT '');
CREATE INDEX orders_changed ON orders (changed, id);
CREATE TRIGGER orders_made AFTER INSERT ON orders BEGIN
    UPDATE orders SET changed = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = NEW.id; END;
CREATE TRIGGER orders_touched AFTER UPDATE OF id, customer, total ON orders BEGIN
    UPDATE orders SET changed = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = NEW.id; END;

-- The schema has REPLACE in it; the statements write milliseconds, by a clock that is late by more or less.
CREATE TABLE items (id INTEGER PRIMARY KEY, sku TEXT UNIQUE ON CONFLICT REPLACE, amount, changed INTEGER NOT NULL);
CREATE INDEX items_changed ON items (changed, id);

-- Each statement counts a version up.
CREATE TABLE users (name TEXT PRIMARY KEY NOT NULL, mail TEXT UNIQUE, visits INTEGER, version INTEGER NOT NULL);
CREATE INDEX users_version ON users (version, name);

-- A key of two columns, of which one takes 'a' for 'A', and the time as seconds with a fraction.
CREATE TABLE stock (place TEXT COLLATE NOCASE, item INTEGER, count NUMERIC, changed REAL NOT NULL, PRIMARY KEY (place, item))
    WITHOUT ROWID;
CREATE INDEX stock_changed ON stock (changed, place COLLATE BINARY, item);

-- Values of every kind; the time is a default, and a trigger keeps it.
CREATE TABLE notes (
    id INTEGER PRIMARY KEY, label TEXT COLLATE NOCASE UNIQUE, body, score REAL,
    shout AS (upper(label) || '/' || typeof(body)) STORED,
    changed TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')));
CREATE INDEX notes_changed ON notes (changed, id);
CREATE TRIGGER notes_touched AFTER UPDATE OF id, label, body, score ON notes BEGIN
    UPDATE notes SET changed = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = NEW.id; END;
"""

TEXTS = ["", "a", "A", "b", "B", "it's", '"', "\\", "x,y", "''", "NULL", "1", "1.0", "nul\0inside", "\0", "\n", "\r\n", "\x1b",
         "e\u0301", "\u00e9", "\u00c4", "\U0001f980", "\u2028", "~", "a~b", "%41", "@1", "long " * 60]
REALS = [0.0, -0.0, 0.5, 1.0, -2.5, 19.99, 0.1 + 0.2, 1e22, 1e300, 1.7976931348623157e308, 5e-324, math.inf, -math.inf]
INTEGERS = [0, -1, 2**53 + 1, 2**63 - 1, -(2**63)]
# Keys that no other row has: of the rows that stay, and of the last one, which comes after every other in bytes.
FIRST_TEXT, FIRST_ID = "!first", -(10**9)
AGAIN_TEXT, AGAIN_ID = "!again", -(10**9) + 1
LAST_TEXT, LAST_ID = "\U0010ffff", 10**9


def whole(r):
    return r.choice(INTEGERS) if r.random() < 0.05 else r.randint(-3, 50)


def text(r):
    return r.choice(TEXTS) if r.random() < 0.5 else r.choice("abcdefABCDEF") + str(r.randint(0, 30))


def real(r):
    return r.choice([r.choice(REALS), r.random(), r.uniform(-1e6, 1e6), round(r.uniform(0, 100), 2)])


def blob(r):
    return r.choice([b"", b"\0", b"a", bytes(range(256)), r.randbytes(r.randint(1, 40))])


def anything(r):
    return r.choice([whole, text, real, blob, lambda r: None])(r)


def key(r):
    return r.randint(-3, 90)


def maybe(make):
    return lambda r: None if r.random() < 0.15 else make(r)


class Table:
    """What the writer knows of a table: its key, what else can conflict, its other columns, and its time."""

    def __init__(self, name, key, others, unique=None, stamp=None):
        self.name, self.key, self.unique, self.stamp = name, list(key), unique, stamp
        self.makers = {**key, **others}
        self.columns = list(self.makers)

    def row(self, text_value, id_value):
        return [text_value if self.makers[name] is text else id_value for name in self.key]

    def conflict(self, r):
        return r.choice([", ".join(self.key), *([self.unique] if self.unique else [])])


# In milliseconds: as late as a time may be when it is written, half of what the feed waits.
MOST_LATE = 1000
MILLISECONDS = "changed", "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
SECONDS = "changed", "(julianday('now') - 2440587.5) * 86400.0"
TABLES = [
    Table("orders", {"id": lambda r: None if r.random() < 0.7 else key(r)}, {"customer": maybe(text), "total": real}),
    Table("items", {"id": key}, {"sku": maybe(text), "amount": anything}, "sku", MILLISECONDS),
    Table("users", {"name": text}, {"mail": maybe(text), "visits": whole}, "mail", ("version", None)),
    Table("stock", {"place": text, "item": lambda r: r.randint(0, 5)}, {"count": maybe(real)}, stamp=SECONDS),
    Table("notes", {"id": key}, {"label": maybe(text), "body": anything, "score": maybe(real)}, "label"),
]


class Writer:
    def __init__(self, path, seed):
        self.r = random.Random(seed)
        # Two take turns, of which one has delete triggers fire for rows that REPLACE takes away.
        self.connections = [sqlite3.connect(path, timeout=60, isolation_level=None) for _ in range(2)]
        for recursive, connection in enumerate(self.connections):
            # No power fails here, and a disk that takes its time to sync would make rows late.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(f"PRAGMA recursive_triggers = {recursive}")
        self.connection = self.connections[0]
        self.version = 0
        self.failures = self.statements = 0
        self.slowest = 0.0

    def run(self, sql, values=()):
        return self.connection.execute(sql, values).fetchall()

    def stamp(self, table, is_exact=False):
        """The column of the time and its value as SQL; nothing for a table that keeps it by itself."""
        if not table.stamp:
            return [], []
        name, expression = table.stamp
        if table.stamp is MILLISECONDS:
            expression += f" - {0 if is_exact else self.r.randrange(MOST_LATE)}"
        if not expression:
            self.version += 1
            expression = str(self.version)
        return [name], [expression]

    def an_existing_key(self, table):
        names = ", ".join(table.key)
        keys = self.run(f"SELECT {names} FROM {table.name} WHERE {self.others(table)} ORDER BY {names}")
        return self.r.choice(keys) if keys else [table.makers[name](self.r) for name in table.key]

    def insert(self, table):
        r = self.r
        verb = r.choice(["INSERT"] * 4 + ["REPLACE"] * 3 + ["INSERT OR IGNORE"] * 2 + ["INSERT OR FAIL"])
        names, values = table.columns, []
        times, expressions = self.stamp(table)
        count = r.choice([1, 1, 1, 2, 3, 8])
        rows = []
        for _ in range(count):
            row = {name: make(r) for name, make in table.makers.items()}
            if r.random() < 0.3:
                row.update(zip(table.key, self.an_existing_key(table)))
            values += row.values()
            rows.append("(" + ", ".join(["?"] * len(names) + expressions) + ")")
        sql = f"{verb} INTO {table.name} ({', '.join(names + times)}) VALUES {', '.join(rows)}"
        if verb == "INSERT" and r.random() < 0.6:
            if r.random() < 0.3:
                sql += f" ON CONFLICT ({table.conflict(r)}) DO NOTHING"
            else:
                changed = r.sample(names, r.randint(1, 2)) + times
                sets = ", ".join(f"{name} = excluded.{name}" for name in changed)
                sql += f" ON CONFLICT ({table.conflict(r)}) DO UPDATE SET {sets}"
        return sql, values

    def update(self, table):
        r = self.r
        verb = r.choice(["UPDATE"] * 4 + ["UPDATE OR REPLACE"] * 3 + ["UPDATE OR IGNORE", "UPDATE OR FAIL"])
        names = r.sample(table.columns, r.randint(1, 2))
        if r.random() < 0.2:
            names = [r.choice(table.key)]
        values = [table.makers[name](r) for name in names]
        times, expressions = self.stamp(table)
        sets = [f"{name} = ?" for name in names] + [f"{n} = {e}" for n, e in zip(times, expressions)]
        where, more = self.where(table)
        return f"{verb} {table.name} SET {', '.join(sets)} {where}", values + more

    def delete(self, table):
        where, values = self.where(table)
        self.run(f"DELETE FROM {table.name} {where}", values)
        times, expressions = self.stamp(table)
        # To the same value: a trigger of the application takes it for a change.
        name = table.columns[-1]
        sets = ", ".join(f"{n} = {e}" for n, e in zip([name, *times], [name, *expressions]))
        key = " AND ".join(f"{name} = ?" for name in table.key)
        return f"UPDATE {table.name} SET {sets} WHERE {key}", table.row(AGAIN_TEXT, AGAIN_ID)

    def others(self, table):
        """The condition that spares the rows that stay."""
        name = table.key[0]
        return f"{name} NOT LIKE '!%'" if table.makers[name] is text else f"{name} > {AGAIN_ID}"

    def where(self, table):
        r = self.r
        kind = r.randrange(40)
        if kind == 0:
            return f"WHERE {self.others(table)}", []
        if kind < 4:
            name = r.choice(table.columns)
            return f"WHERE {name} {r.choice(['>', '<'])} ? AND {self.others(table)}", [table.makers[name](r)]
        found = self.an_existing_key(table)
        return "WHERE " + " AND ".join(f"{name} = ?" for name in table.key), list(found)

    def statement(self):
        r = self.r
        table = r.choice(TABLES)
        make = r.choice([self.insert] * 5 + [self.update] * 4 + [self.delete])
        sql, values = make(table)
        self.statements += 1
        try:
            self.run(sql, values)
        except (sqlite3.IntegrityError, sqlite3.OperationalError) as error:
            # What conflicts or is of the wrong type is refused, as the tables say; anything else is no plan of ours.
            if not any(word in str(error) for word in ("constraint failed", "datatype mismatch", "ambiguous")):
                raise
            self.failures += 1

    def transaction(self):
        r = self.r
        start = time.monotonic()
        self.connection = r.choice(self.connections)
        self.run("BEGIN IMMEDIATE")
        depth = 0
        for _ in range(r.randint(1, 20)):
            turn = r.random()
            if turn < 0.05:
                depth += 1
                self.run(f"SAVEPOINT s{depth}")
            elif turn < 0.10 and depth:
                if r.random() < 0.6:
                    self.run(f"ROLLBACK TO s{depth}")
                self.run(f"RELEASE s{depth}")
                depth -= 1
            else:
                self.statement()
        self.run("ROLLBACK" if r.random() < 0.1 else "COMMIT")
        self.slowest = max(self.slowest, time.monotonic() - start)

    def add_to_each(self, text_value, id_value):
        for table in TABLES:
            times, expressions = self.stamp(table, is_exact=True)
            names, key = ", ".join(table.key + times), table.row(text_value, id_value)
            values = ", ".join(["?"] * len(key) + expressions)
            self.run(f"INSERT INTO {table.name} ({names}) VALUES ({values})", key)

    def rows(self, table):
        cursor = self.connection.execute(f"SELECT * FROM {table.name}")
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, map(shown, row)))


def shown(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def create(path, journal_mode):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode = {journal_mode}")
    connection.executescript(SCHEMA)
    connection.close()


def write(path, seed, transactions, seconds):
    writer = Writer(path, seed)
    writer.add_to_each(FIRST_TEXT, FIRST_ID)
    writer.add_to_each(AGAIN_TEXT, AGAIN_ID)
    start = time.monotonic()
    for number in range(transactions):
        time.sleep(max(0.0, start + seconds * number / transactions - time.monotonic()))
        writer.transaction()
    writer.add_to_each(LAST_TEXT, LAST_ID)
    for table in TABLES:
        for row in writer.rows(table):
            print("row", table.name, json.dumps(row))
    print(f"{writer.statements} statements, {writer.failures} refused, {time.monotonic() - start:.1f} s,"
          f" slowest transaction {writer.slowest:.3f} s", file=sys.stderr)


if sys.argv[2] == "create":
    create(sys.argv[1], sys.argv[3])
else:
    write(sys.argv[1], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
