-- SPDX-License-Identifier: Apache-2.0
--
-- The database that scripts/run watches. Can be run again on the same file.

-- Readers and writers don't wait for each other. The file remembers it.
PRAGMA journal_mode = WAL;

-- AUTOINCREMENT: an id is never given out twice, also when the newest rows are deleted.
CREATE TABLE IF NOT EXISTS orders (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  customer TEXT NOT NULL,
  total REAL NOT NULL,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

-- A little history to replay.
INSERT INTO orders (customer, total)
SELECT column1, column2
FROM (VALUES ('ada', 12.5), ('grace', 99.0), ('edsger', 7.25), ('barbara', 42.0), ('alan', 3.14), ('margaret', 250.0))
WHERE NOT EXISTS (SELECT 1 FROM orders);
