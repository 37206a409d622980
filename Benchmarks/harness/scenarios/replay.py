# SPDX-License-Identifier: Apache-2.0
"""Rows 7 and 9: clients that come back far behind the tail."""

import os
import shutil
import socket
import statistics
import time

from .. import peers, tables
from ..load import Load
from ..processes import Fault, Process
from ..servers import Floor, Rowtail

ROWS = 200_000


def fetch(bench, make, clients, **options):
    """Sends every row to so many clients at once."""
    with make(bench, **options) as server:
        before = server.process.processor_seconds()
        with Load(bench, server, clients, path=server.replay(ROWS), after=0, resume=True, until=ROWS) as load:
            load.opened()
            load.done()
            used = server.process.processor_seconds() - before
            report = load.finish()
    return {
        "cpu_s": used * 1e6 / report["events"],
        "rows_per_s": report["events"] / report["replay_s"],
        "client_busy": report["busy"],
    }


def sqlite_json(bench, database):
    """What SQLite's own program takes to write the same rows as JSON to a pipe."""
    reading, writing = os.pipe()
    sink = Process(["cat"], bench.client_core, bench.folder / "cat.log", stdin=reading, stdout=open(os.devnull, "wb"))
    query = ["sqlite3", "-readonly", "-init", "/dev/null", "-json", database, "SELECT * FROM events ORDER BY id"]
    source = Process(query, bench.server_core, bench.folder / "sqlite3.log", stdout=writing)
    os.close(reading)
    os.close(writing)
    _, status, usage = os.wait4(source.pid, 0)
    source.popen.returncode = os.waitstatus_to_exitcode(status)
    sink.popen.wait(10)
    source.kill()
    sink.kill()
    if source.popen.returncode:
        raise Fault(f"sqlite3 -json: {source.log.read_text()}")
    return {"cpu_s": (usage.ru_utime + usage.ru_stime) * 1e6 / ROWS}


def run(bench):
    database = bench.folder / "replay.db"
    tables.create(database, ROWS)
    many = 50
    contestants = {
        "C": lambda: fetch(bench, Floor, 1),
        "rowtail": lambda: fetch(bench, Rowtail, 1, database=database),
        "sqlite3 -json": lambda: sqlite_json(bench, database),
    }
    for name, make in peers.available(bench, replay=True).items():
        contestants[name] = lambda make=make: fetch(bench, make, 1, database=database)
    found = bench.measure("replay", contestants)
    runs = bench.choose(1, bench.runs)
    crowd = bench.measure(
        "replay-50",
        {"C": lambda: fetch(bench, Floor, many), "rowtail": lambda: fetch(bench, Rowtail, many, database=database)},
        runs=runs,
    )
    tables.remove(database)
    mine, floor, sqlite = found["rowtail"], found["C"], found["sqlite3 -json"]
    claim = bench.report.claim
    claim(
        7,
        "replay of 200,000 rows, one client: CPU per million rows",
        f"{mine['cpu_s']:.2f} s",
        against=f"C, without a table {floor['cpu_s']:.2f} s",
        ratio=mine["cpu_s"] / floor["cpu_s"],
        target="≤ 1.2 s",
        met=mine["cpu_s"] <= 1.2,
        runs=bench.runs,
    )
    ratio = sqlite["cpu_s"] / mine["cpu_s"]
    claim(
        7,
        "the same, rows per CPU second",
        f"{1 / mine['cpu_s']:.2f} M",
        against=f"sqlite3 -json {1 / sqlite['cpu_s']:.2f} M",
        ratio=ratio,
        target="≥ 2",
        met=ratio >= 2,
        runs=bench.runs,
    )
    ratio = crowd["rowtail"]["rows_per_s"] / mine["rows_per_s"]
    claim(
        7,
        f"the same, {many} clients at once: rows per second in sum",
        f"{crowd['rowtail']['rows_per_s'] / 1e6:.2f} M",
        against=f"one client {mine['rows_per_s'] / 1e6:.2f} M",
        ratio=ratio,
        target="≥ 1",
        met=ratio >= 1,
        runs=runs,
    )
    bench.check_client("rowtail's replay", max(mine["client_busy"], crowd["rowtail"]["client_busy"]))
    bench.report.peer(
        "replay, CPU seconds per million rows", {name: f"{figures['cpu_s']:.2f}" for name, figures in found.items()}
    )


def first_event(port, path, after):
    """Milliseconds from connect() to the first row after an id."""
    start = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(f"GET {path}?limit=10 HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {after}\r\n\r\n".encode())
        received = b""
        while b"\ndata:" not in received:
            piece = client.recv(65536)
            if not piece:
                raise Fault("rowtail closed a stream that was to be resumed")
            received += piece
        taken = (time.perf_counter() - start) * 1e3
        if f"\nid: {after + 1}\n".encode() not in received:
            raise Fault(f"a client resumed after {after} and did not get {after + 1}")
        return taken


def resume(bench):
    small, large = bench.choose((1_000_000, 10_000_000), (1_000_000, 100_000_000))
    # A row takes some 45 bytes here, and the file is written once.
    if shutil.disk_usage(bench.folder).free < large * 60 * 2:
        large = 10_000_000
        bench.report.note("disk too small for a hundred million rows")
    worst, middle = {}, {}
    for rows in (small, large):
        database = bench.folder / f"{rows}.db"
        tables.create(database, rows, payload=20)
        with Rowtail(bench, database=database) as server:
            times = [first_event(server.port, server.path, rows // 2 + number * 1001) for number in range(50)]
        tables.remove(database)
        worst[rows], middle[rows] = max(times), statistics.median(times)
    bench.report.raw["resume"] = {"median_ms": middle, "max_ms": worst}
    bench.report.claim(
        9,
        f"resume in the middle of {large:,} rows: first row after, the slowest of 50",
        f"{worst[large]:.2f} ms",
        against=f"{small:,} rows {worst[small]:.2f} ms",
        target="≤ 20 ms",
        met=worst[large] <= 20,
    )
    ratio = middle[large] / middle[small]
    bench.report.claim(
        9,
        "the same, median",
        f"{middle[large]:.2f} ms",
        against=f"{small:,} rows {middle[small]:.2f} ms",
        ratio=ratio,
        target="≤ 1.5",
        met=ratio <= 1.5,
    )
