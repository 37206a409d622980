# SPDX-License-Identifier: Apache-2.0
"""Row 5: from a row's insert to its bytes at one client. The time includes the insert and the commit."""

from ..load import Load
from ..servers import Rowtail

# A second; no divisor of the poll interval's rate, so that rows come at every phase of it.
RATE = 23
INTERVAL_MS = 100


def follow(bench, wake):
    rows = bench.choose(69, 460)
    settings = {"wake_on_write": wake, "poll_interval": f"{INTERVAL_MS}ms"}
    with Rowtail(bench, settings=settings) as server, Load(bench, server, 1, after=0, until=rows) as load:
        load.ready()
        server.publish(rows, RATE, 1)
        load.done()
        latency = load.finish()["latency_us"]
    return {"p50_ms": latency["p50"] / 1e3, "p99_ms": latency["p99"] / 1e3, "max_ms": latency["max"] / 1e3}


def run(bench):
    found = bench.measure("latency", {"on": lambda: follow(bench, True), "off": lambda: follow(bench, False)})
    on, off = found["on"], found["off"]
    claim, runs = bench.report.claim, bench.runs
    claim(
        5,
        "row written → one client, p50",
        f"{on['p50_ms']:.2f} ms",
        target="≤ 1.5 ms",
        met=on["p50_ms"] <= 1.5,
        runs=runs,
    )
    claim(5, "the same, p99", f"{on['p99_ms']:.2f} ms", target="≤ 10 ms", met=on["p99_ms"] <= 10, runs=runs)
    limit = INTERVAL_MS + 5
    claim(
        5,
        f"the same without `wake_on_write`, polling every {INTERVAL_MS} ms, p99",
        f"{off['p99_ms']:.1f} ms",
        target=f"≤ {limit} ms",
        met=off["p99_ms"] <= limit,
        runs=runs,
    )
