# SPDX-License-Identifier: Apache-2.0
"""Row 10: polling while nothing is written."""

import time

from .. import tables
from ..load import Load
from ..processes import Process
from ..servers import Rowtail


def watch(bench, process):
    """Percent of a core."""
    seconds = bench.choose(2, 10)
    # What starting costs is not asked for.
    time.sleep(0.7)
    before, start = process.processor_seconds(), time.monotonic()
    time.sleep(seconds)
    return {"percent": 100 * (process.processor_seconds() - before) / (time.monotonic() - start)}


def rowtail(bench, interval, feeds):
    first = next(iter(feeds))
    with Rowtail(bench, settings={"poll_interval": f"{interval}ms"}, feeds=feeds) as server:
        with Load(bench, server, 1, path=f"/feeds/{first}") as load:
            load.ready()
            return watch(bench, server.process)


def floor(bench, interval, files):
    arguments = [bench.program("quiet"), interval, *files]
    with Process(arguments, bench.server_core, bench.folder / "quiet.log") as process:
        return watch(bench, process)


def run(bench):
    tables_per_file = [f"events{number}" for number in range(10)]
    files = [bench.folder / f"idle{number}.db" for number in range(20)]
    feeds = {}
    for number, file in enumerate(files):
        tables.create(file, 100, names=tables_per_file)
        feeds |= {f"f{number}-{table}": {"database": str(file), "table": table} for table in tables_per_file}
    one = {"events": {"database": str(files[0]), "table": "events0"}}
    found = bench.measure(
        "polls",
        {
            "many": lambda: rowtail(bench, 100, feeds),
            "many, C": lambda: floor(bench, 100, files),
            "one": lambda: rowtail(bench, 10, one),
            "one, C": lambda: floor(bench, 10, files[:1]),
        },
    )
    for file in files:
        tables.remove(file)
    many, many_floor = found["many"]["percent"], found["many, C"]["percent"]
    bench.report.claim(
        10,
        "200 feeds on 20 files, idle at 100 ms",
        f"{many:.2f} % of a core",
        against=f"C {many_floor:.2f} %",
        ratio=many / many_floor,
        target="≤ 2 %",
        met=many <= 2,
        runs=bench.runs,
    )
    mine, least = found["one"]["percent"], found["one, C"]["percent"]
    bench.report.claim(
        10,
        "one feed, idle at 10 ms",
        f"{mine:.2f} % of a core",
        against=f"C {least:.2f} %",
        ratio=mine / least,
        runs=bench.runs,
    )
