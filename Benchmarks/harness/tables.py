# SPDX-License-Identifier: Apache-2.0
"""Makes the tables that servers watch. Rows are as Benchmarks/Sources/writer writes them: 150 bytes as JSON."""

import sqlite3


def create(path, rows=0, payload=100, names=("events",)):
    """A WAL database with the tables `names` and so many rows in each."""
    connection = sqlite3.connect(path, isolation_level=None)
    # Nobody looks yet, and nobody needs it after a crash.
    connection.execute("PRAGMA journal_mode = off")
    connection.execute("PRAGMA synchronous = off")
    for name in names:
        connection.execute(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER, payload TEXT)")
        if rows:
            connection.execute(
                f"""INSERT INTO {name} (at, payload)
                WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
                SELECT 1700000000000000 + n, ? FROM number""",
                (rows, "x" * payload),
            )
    connection.execute("PRAGMA synchronous = normal")
    connection.execute("PRAGMA journal_mode = wal")
    connection.close()


def remove(path):
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
