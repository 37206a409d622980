# SPDX-License-Identifier: Apache-2.0
"""The clients: starts Benchmarks/Sources/load and judges what it reports."""

import json
import select
import subprocess
import time

from .processes import Fault, Process


def _faults(report):
    """What should not have happened, in words. Streams that came back were cut because that was asked for."""
    counts = {name: report[name] for name in ("refused", "missing", "repeated", "mismatched", "malformed")}
    counts["cut"] = max(0, report["cut"] - report["reconnects"])
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


class Load:
    """Clients of one server. Use as a context; `opened` or `ready`, `done` and `finish` in this order."""

    def __init__(self, bench, server, clients, *, path=None, max_time=120, **options):
        self.server = server
        self.deadline = time.monotonic() + max_time + 5
        arguments = [bench.program("load"), "--port", server.port, "--path", path or server.path, "--clients", clients]
        arguments += ["--max-time", max_time]
        if server.head_opens:
            arguments.append("--head-opens")
        options.setdefault("opening", server.opening)
        for name, value in options.items():
            if value is True:
                arguments.append("--" + name.replace("_", "-"))
            elif value is not None and value is not False:
                arguments += ["--" + name.replace("_", "-"), value]
        self.started_at = time.time()
        self.process = Process(
            arguments, bench.client_core, bench.folder / "load.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def _await_line(self, line):
        output = self.process.popen.stdout
        readable, _, _ = select.select([output], [], [], max(0, self.deadline - time.monotonic()))
        found = output.readline().decode().strip() if readable else "nothing in time"
        if found.startswith("{"):
            # It gave up, and this is why.
            raise Fault(f"{self.server.name} did not deliver all: {_faults(json.loads(found)) or found}")
        if found != line:
            raise Fault(f"{self.server.name}: the clients report '{found}' instead of '{line}'")

    def opened(self):
        """Waits until every stream is open."""
        self._await_line("ready")

    def ready(self):
        """Waits until every stream is open, and the server has calmed down."""
        self.opened()
        time.sleep(0.4)

    def done(self):
        """Waits until every client has got all; the connections stay open."""
        self._await_line("done")

    def finish(self):
        """Closes the connections and returns the report. Anything lost, doubled or refused is a Fault."""
        self.process.popen.stdin.close()
        report = json.loads(self.process.popen.stdout.read().decode())
        if faults := _faults(report):
            raise Fault(f"{self.server.name}: {faults}")
        return report

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()
