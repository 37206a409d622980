# SPDX-License-Identifier: Apache-2.0
"""Row 11: some clients never read; the others and the memory are not to notice."""

from ..load import Load
from ..servers import Rowtail

RATE = 10
TAIL_MIB = 8


def follow(bench, readers, stalled):
    seconds = bench.choose(8, 600)
    # Enough for those who don't read to fill their sockets and fall behind.
    batch = bench.choose(20, 10)
    rows = seconds * RATE * batch
    # Without the time-out they stay as long as they like: the worst case.
    settings = {"limits": {"streams": 0, "write_timeout": 0}, "heartbeat_interval": "1h"}
    with (
        Rowtail(bench, settings=settings) as server,
        Load(
            bench, server, readers + stalled, stalled=stalled or None, after=0, until=rows, max_time=seconds + 120
        ) as load,
    ):
        load.ready()
        before = server.process.resident_kib()
        server.publish(seconds * RATE, RATE, batch)
        load.done()
        after = server.process.resident_kib()
        lag = server.metric("rowtail_lag_rows")
        report = load.finish()
        bench.check_client(server.name, report["busy"])
    return {
        "p99_ms": report["latency_us"]["p99"] / 1e3,
        "growth_mib": (after - before) / 1024,
        "resident_mib": after / 1024,
        "lag_rows": lag,
        "cut": report["cut"],
    }


def run(bench):
    readers, stalled = bench.choose((1800, 200), (9000, 1000))
    # Long enough to be its own median.
    runs = 1
    found = bench.measure(
        "stalled",
        {"without": lambda: follow(bench, readers, 0), "with": lambda: follow(bench, readers, stalled)},
        runs=runs,
    )
    alone, together = found["without"], found["with"]
    ratio = together["p99_ms"] / alone["p99_ms"]
    bench.report.claim(
        11,
        f"p99 of {readers:,} clients beside {stalled:,} that never read",
        f"{together['p99_ms']:.1f} ms",
        against=f"without them {alone['p99_ms']:.1f} ms",
        ratio=ratio,
        target="≤ 1.5",
        met=ratio <= 1.5,
        runs=runs,
    )
    limit = 2 * TAIL_MIB
    bench.report.claim(
        11,
        f"growth of memory meanwhile (they are {together['lag_rows']:,.0f} rows behind at the end)",
        f"{together['growth_mib']:.1f} MiB",
        against=f"without them {alone['growth_mib']:.1f} MiB",
        target=f"≤ {limit} MiB",
        met=together["growth_mib"] <= limit,
        runs=runs,
    )
