# SPDX-License-Identifier: Apache-2.0
"""Rows 3 and 4: ten thousand streams are opened, and stay idle."""

import time

from .. import peers
from ..load import Load
from ..servers import Floor, Rowtail

STREAMS = 10_000


def connect(bench, make):
    with make(bench) as server:
        # What the first request costs once, and no stream after it.
        with Load(bench, server, 1) as warm_up:
            warm_up.ready()
            warm_up.finish()
        time.sleep(0.3)
        empty = server.process.resident_kib()
        before = server.process.processor_seconds()
        with Load(bench, server, STREAMS) as load:
            load.ready()
            used = server.process.processor_seconds() - before
            time.sleep(0.5)
            full = server.process.resident_kib()
            report = load.finish()
    return {
        "kib": (full - empty) / max(1, report["opened"]),
        "seconds": report["connect_s"],
        "connect_p99_ms": report["connect_us"]["p99"] / 1e3,
        "cpu_us": used * 1e6 / STREAMS,
    }


def run(bench):
    makers = {"C": Floor, "rowtail": Rowtail, **peers.available(bench)}
    found = bench.measure("streams", {name: lambda make=make: connect(bench, make) for name, make in makers.items()})
    mine, floor = found["rowtail"], found["C"]
    bench.report.claim(
        3,
        "resident memory per idle stream, 10,000 streams",
        f"{mine['kib']:.2f} KiB",
        against=f"C {floor['kib']:.2f} KiB",
        target="≤ 5 KiB",
        met=mine["kib"] <= 5,
        runs=bench.runs,
    )
    ratio = mine["seconds"] / floor["seconds"]
    bench.report.claim(
        4,
        "10,000 connects and first frames, none refused",
        f"{mine['seconds']:.3f} s",
        against=f"C {floor['seconds']:.3f} s",
        ratio=ratio,
        target="≤ 2.5",
        met=ratio <= 2.5,
        runs=bench.runs,
    )
    bench.report.peer("memory per idle stream, KiB", {name: f"{figures['kib']:.1f}" for name, figures in found.items()})
    bench.report.peer(
        "10,000 connects, s",
        {name: f"{figures['seconds']:.2f}" for name, figures in found.items()},
    )
