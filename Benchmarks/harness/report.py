# SPDX-License-Identifier: Apache-2.0
"""What was measured, as claims: a figure, what it is compared with, and the target that it meets or misses."""

import dataclasses
import datetime
import os
import pathlib
import platform
import re

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


@dataclasses.dataclass
class Claim:
    """One line of the table."""

    row: int
    work: str
    figure: str
    against: str
    ratio: float | None
    target: str
    met: bool | None
    runs: int


@dataclasses.dataclass
class Report:
    """Fills while scenarios run."""

    command: str
    claims: list = dataclasses.field(default_factory=list)
    peers: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)
    raw: dict = dataclasses.field(default_factory=dict)

    def claim(self, row, work, figure, *, against="", ratio=None, target="", met=None, runs=1):
        claim = Claim(row, work, figure, against, ratio, target, met, runs)
        self.claims.append(claim)
        print("  " + " · ".join(cell for cell in _cells(claim)[1:] if cell), flush=True)

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)
            print(f"  note: {text}", flush=True)

    def peer(self, work, figures):
        """One line of the peers' table: what each server took for the same work."""
        self.peers.append((work, figures))

    def missed(self):
        return [claim for claim in self.claims if claim.met is False]

    def markdown(self):
        lines = [_machine(), "", f"`{self.command}`", ""]
        lines += ["| | work | rowtail | against | ratio | target | | runs |", "|--:|---|--:|--:|--:|--:|---|--:|"]
        lines += ["| " + " | ".join(_cells(claim)) + " |" for claim in sorted(self.claims, key=lambda claim: claim.row)]
        if any(len(figures) > 1 for _, figures in self.peers):
            names = list(dict.fromkeys(name for _, figures in self.peers for name in figures))
            lines += [
                "",
                "The same work in the same run:",
                "",
                "| | " + " | ".join(names) + " |",
                "|---|" + "--:|" * len(names),
            ]
            lines += [
                f"| {work} | " + " | ".join(figures.get(name, "–") for name in names) + " |"
                for work, figures in self.peers
            ]
        if self.notes:
            lines += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines) + "\n"

    def json(self):
        return {
            "machine": _machine(),
            "command": self.command,
            "claims": [dataclasses.asdict(claim) for claim in self.claims],
            "peers": self.peers,
            "notes": self.notes,
            "raw": self.raw,
        }

    def write_into(self, path):
        """Replaces what stands between the markers of a page."""
        path = pathlib.Path(path)
        text = path.read_text(encoding="utf-8") if path.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
        if BEGIN not in text or END not in text:
            raise SystemExit(f"bench: {path} has no '{BEGIN}' and '{END}'; put them where the table belongs")
        before, _, rest = text.partition(BEGIN)
        path.write_text(f"{before}{BEGIN}\n{self.markdown()}{END}{rest.partition(END)[2]}", encoding="utf-8")


def _cells(claim):
    ratio = "" if claim.ratio is None else f"{claim.ratio:.2f}"
    met = {True: "met", False: "**not met**", None: ""}[claim.met]
    return [str(claim.row), claim.work, claim.figure, claim.against, ratio, claim.target, met, str(claim.runs)]


def _machine():
    cpu = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    model = cpu.group(1) if cpu else platform.machine()
    virtual = "hypervisor" in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return (
        f"{os.cpu_count()} cores of {model}{', a virtual machine' if virtual else ''}, Linux {platform.release()}, "
        f"{datetime.date.today():%d %B %Y}. Medians of the runs in the last column."
    )
