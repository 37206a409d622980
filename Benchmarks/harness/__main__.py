# SPDX-License-Identifier: Apache-2.0
"""Runs the scenarios and prints the table; see scripts/bench."""

import argparse
import json
import pathlib
import signal
import sys
import tempfile
import time

from . import selftest
from .bench import Bench
from .peers import ALL
from .processes import Fault
from .report import Report
from .scenarios import SCENARIOS


def parse(arguments):
    def words(known):
        def check(text):
            chosen = [word for word in text.split(",") if word and word != "none"]
            unknown = sorted(set(chosen) - set(known))
            if unknown:
                raise argparse.ArgumentTypeError(f"'{unknown[0]}' is none of {', '.join(known)}")
            return chosen

        return check

    parser = argparse.ArgumentParser(prog="bench", description="Measures rowtail against a C floor, in ratios.")
    parser.add_argument("--quick", action="store_true", help="less of everything: below three minutes")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="medians of so many runs (3)")
    parser.add_argument(
        "--only", type=words(SCENARIOS), default=list(SCENARIOS), metavar="NAMES", help=", ".join(SCENARIOS)
    )
    parser.add_argument("--peers", type=words(ALL), default=["nchan"], metavar="NAMES", help=f"{', '.join(ALL)}; none")
    parser.add_argument("--write", metavar="PAGE", help="puts the table between the markers of this page")
    parser.add_argument("--json", metavar="FILE", help="writes everything that was measured")
    parser.add_argument("--binary", type=pathlib.Path, required=True, metavar="PATH", help="the rowtail to measure")
    parser.add_argument("--programs", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--command", default="scripts/bench", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main():
    options = parse(sys.argv[1:])
    # Ended by a signal, we still end what we started.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    report = Report(options.command)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rowtail-bench-") as folder:
        bench = Bench(
            options.binary.resolve(),
            options.programs.resolve(),
            pathlib.Path(folder),
            options.runs,
            options.quick,
            options.peers,
            report,
        )
        for name in ["selftest", *options.only]:
            print(f"{name} ({time.monotonic() - start:.0f} s)", flush=True)
            try:
                selftest.run(bench) if name == "selftest" else SCENARIOS[name](bench)
            except Fault as fault:
                print(f"\nbench: {name}: {fault}\n\nThe run is void.", file=sys.stderr)
                return 1
    missed, taken = len(report.missed()), time.monotonic() - start
    print(f"\n{report.markdown()}\n{taken:.0f} s; {missed} of {len(report.claims)} lines miss their target")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(report.json(), indent=1), encoding="utf-8")
    if options.write:
        report.write_into(options.write)
    return 0


sys.exit(main())
