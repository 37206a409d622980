# SPDX-License-Identifier: Apache-2.0
"""Programs that the benchmark starts: where they run, what they take, and that they end."""

import atexit
import os
import pathlib
import re
import signal
import subprocess
import time

_started = []


class Fault(Exception):
    """Something that must not happen: what is measured with it says nothing."""


def _end_all():
    for process in list(_started):
        process.kill()


atexit.register(_end_all)


class Process:
    """One program on one core, with the processes that it starts itself."""

    def __init__(self, arguments, core, log, **options):
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as output:
            # In a session of its own: Ctrl-C reaches it through us, once.
            self.popen = subprocess.Popen(
                # Ends also when we are killed and can't see to it.
                ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", str(core), *map(str, arguments)],
                stdin=options.pop("stdin", subprocess.DEVNULL),
                stdout=options.pop("stdout", output),
                stderr=output,
                start_new_session=True,
                # Whoever waits for a line must not find it gone into a buffer already.
                bufsize=0,
                **options,
            )
        _started.append(self)

    @property
    def pid(self):
        return self.popen.pid

    def pids(self):
        """This process and everything below it."""
        found, unseen = [], [self.pid]
        while unseen:
            pid = unseen.pop()
            found.append(pid)
            for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                unseen += map(int, _read(children).split())
        return found

    def processor_seconds(self):
        """User and system time: /proc/PID/task/*/schedstat, in nanoseconds, where stat(5) counts in ticks of 10 ms."""
        total = 0
        for pid in self.pids():
            tasks = [_read(path).split() for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")]
            total += sum(int(task[0]) for task in tasks if task)
        return total / 1e9

    def resident_kib(self):
        """Resident memory; exact, where the kernel's counter in status lags by up to 256 KiB per core."""
        total = 0
        for pid in self.pids():
            match = re.search(r"^Rss:\s+(\d+)", _read(f"/proc/{pid}/smaps_rollup"), re.MULTILINE)
            total += int(match.group(1)) if match else 0
        return total

    def stop(self):
        """Asks it to end, and makes it after five seconds."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def kill(self):
        """Ends it and what it started at once."""
        if self.popen.poll() is None:
            for pid in reversed(self.pids()):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.popen.wait()
        if self in _started:
            _started.remove(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        # It ended in between.
        return ""


def await_fact(fact, seconds, what):
    """Returns what `fact` returns once that is true; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = fact()
        if value:
            return value
        time.sleep(0.02)
    raise Fault(f"{what} took more than {seconds} s")
