# SPDX-License-Identifier: Apache-2.0
"""Rows 1, 2 and 6: one event, or fifty at once, to a thousand live streams."""

from .. import peers
from ..load import Load
from ..servers import Floor, Rowtail

STREAMS = 1000
# Writes a second.
RATE = 10


def deliver(bench, make, batch):
    """Publishes to a thousand streams and returns what that took.

    One server at a time: with the sockets of a second one beside it, every delivery costs some 30 % more.
    """
    writes = bench.choose(40 if batch == 1 else 20, 100)
    with (
        make(bench) as server,
        Load(bench, server, STREAMS, after=0, until=writes * batch, max_time=writes / RATE + 30) as load,
    ):
        load.ready()
        resident = server.process.resident_kib()
        before = server.process.processor_seconds()
        server.publish(writes, RATE, batch)
        load.done()
        used = server.process.processor_seconds() - before
        report = load.finish()
    bench.check_client(server.name, report["busy"])
    latency = report["latency_us"]
    return {
        "cpu_us": used * 1e6 / report["events"],
        "p50_ms": latency["p50"] / 1e3,
        "p99_ms": latency["p99"] / 1e3,
        "resident_mib": resident / 1024,
        "client_busy": report["busy"],
    }


def single(bench):
    makers = {"C": Floor, "rowtail": Rowtail, **peers.available(bench)}
    found = bench.measure("single", {name: lambda make=make: deliver(bench, make, 1) for name, make in makers.items()})
    mine, floor = found["rowtail"], found["C"]
    report, runs = bench.report, bench.runs

    def compare(row, work, figure, unit, other, target):
        theirs = found[other]
        ratio = mine[figure] / theirs[figure]
        report.claim(
            row,
            work,
            f"{mine[figure]:.2f} {unit}",
            against=f"{other} {theirs[figure]:.2f} {unit}",
            ratio=ratio,
            target=f"≤ {target}",
            met=ratio <= target,
            runs=runs,
        )

    compare(1, "CPU per delivery, 1,000 streams, one event per write", "cpu_us", "µs", "C", 1.2)
    if "nchan" in found:
        compare(1, "the same against nchan", "cpu_us", "µs", "nchan", 0.7)
    report.claim(
        3,
        "resident memory with 1,000 idle streams, in all",
        f"{mine['resident_mib']:.1f} MiB",
        against=f"C {floor['resident_mib']:.1f} MiB",
        target="≤ 30 MiB",
        met=mine["resident_mib"] <= 30,
        runs=runs,
    )
    compare(6, "row written → 1,000 clients, p50", "p50_ms", "ms", "C", 1.5)
    compare(6, "the same, p99", "p99_ms", "ms", "C", 1.5)
    report.peer("CPU per delivery, µs", {name: f"{figures['cpu_us']:.1f}" for name, figures in found.items()})
    report.peer("p50 at 1,000 clients, ms", {name: f"{figures['p50_ms']:.1f}" for name, figures in found.items()})


def batch(bench):
    found = bench.measure("batch", {make.name: lambda make=make: deliver(bench, make, 50) for make in (Floor, Rowtail)})
    mine, floor = found["rowtail"]["cpu_us"], found["C"]["cpu_us"]
    bench.report.claim(
        2,
        "CPU per delivery, 1,000 streams, fifty rows per poll",
        f"{mine:.3f} µs",
        against=f"C {floor:.3f} µs",
        ratio=mine / floor,
        target="≤ 2",
        met=mine / floor <= 2,
        runs=bench.runs,
    )
