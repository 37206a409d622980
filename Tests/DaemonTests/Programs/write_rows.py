# SPDX-License-Identifier: Apache-2.0
"""Stands for the application: adds rows to `orders` in transactions of random size, with random pauses.

write_rows.py DATABASE ROWS SEED MOST_PER_TRANSACTION LONGEST_PAUSE_SECONDS
"""

import random
import sqlite3
import sys
import time

path, rows, seed, most, longest = sys.argv[1], *map(int, sys.argv[2:5]), float(sys.argv[5])
random.seed(seed)
connection = sqlite3.connect(path, timeout=30, isolation_level=None)
left, slowest = rows, 0.0
while left:
    count = min(left, random.randint(1, most))
    start = time.monotonic()
    connection.execute("BEGIN IMMEDIATE")
    for _ in range(count):
        text = "x" * random.randint(0, 200)
        connection.execute("INSERT INTO orders (customer, total) VALUES (?, ?)", (text, random.random()))
        # An application takes its time between two statements.
        if random.random() < 0.002:
            time.sleep(random.uniform(0, longest))
    connection.execute("COMMIT")
    slowest = max(slowest, time.monotonic() - start)
    left -= count
    time.sleep(random.uniform(0, longest))
connection.close()
print(f"wrote {rows} rows, slowest transaction {slowest:.3f} s")
