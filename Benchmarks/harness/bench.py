# SPDX-License-Identifier: Apache-2.0
"""What scenarios share: where programs are, which cores they run on, how often and how long to measure."""

import contextlib
import dataclasses
import os
import pathlib
import statistics

from . import peers
from .processes import Fault
from .report import Report


@dataclasses.dataclass
class Bench:
    """One run of scripts/bench."""

    rowtail: pathlib.Path
    programs: pathlib.Path
    folder: pathlib.Path
    runs: int
    quick: bool
    peers: list
    report: Report

    def __post_init__(self):
        cores = sorted(os.sched_getaffinity(0))
        self.server_core, self.client_core = cores[0], cores[-1]
        if len(cores) == 1:
            self.report.note("one core: server and clients share it, times say little")

    def program(self, name):
        return self.programs / name

    def choose(self, quick, full):
        return quick if self.quick else full

    @contextlib.contextmanager
    def may_fail(self, name):
        """A peer that fails to deliver is left out with a note; a fault of rowtail or the floor ends everything."""
        try:
            yield
        except Fault as fault:
            if name not in peers.ALL:
                raise
            self.report.note(f"{name} is left out of a run: {fault}")

    def measure(self, name, contestants, runs=None):
        """Runs every contestant in turn, so that a noisy moment hits all; returns the medians of each by its name."""
        found = {}
        for _ in range(runs or self.runs):
            for contestant, measure in contestants.items():
                with self.may_fail(contestant):
                    for figure, value in measure().items():
                        found.setdefault(contestant, {}).setdefault(figure, []).append(value)
        self.report.raw[name] = found
        return {
            contestant: {figure: statistics.median(values) for figure, values in figures.items()}
            for contestant, figures in found.items()
        }

    def check_client(self, server, busy):
        if busy > 0.9:
            self.report.note(f"the load client was {busy:.0%} busy with {server}: figures of time are its own")
