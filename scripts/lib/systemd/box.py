# SPDX-License-Identifier: Apache-2.0
"""What the cases of scripts/test-systemd are made of. Runs as root in a box with a systemd of its own."""

import http.client
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import threading
import time

CONFIG = pathlib.Path("/etc/rowtail/rowtail.yaml")
DROP_INS = [pathlib.Path(f"/etc/systemd/system/rowtail.{kind}.d") for kind in ("service", "socket")]
STATE = [pathlib.Path("/var/lib/private/rowtail"), pathlib.Path("/var/lib/rowtail")]
DATA = pathlib.Path("/srv/app")
PORT = 8080
CLIENTS = []


class Failed(Exception):
    """A fact that a case needs doesn't hold."""


def check(holds, what):
    if not holds:
        raise Failed(what)


def run(*command, fails=False, **options):
    """Runs a command to its end and returns what it printed."""
    done = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        text=True, timeout=120, **options,
    )
    check(fails or done.returncode == 0, f"{' '.join(map(str, command))}: exit code {done.returncode}: {done.stdout}")
    return done.stdout.strip()


def eventually(what, find, seconds=30):
    """Looks for a fact that nobody announces, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        found = find()
        if found:
            return found
        check(time.monotonic() < deadline, f"not within {seconds} s: {what}")
        time.sleep(0.02)


def show(name, unit="rowtail.service"):
    return run("systemctl", "show", "--value", "-p", name, unit)


def main_pid():
    return int(show("MainPID"))


def journal(*arguments):
    """The daemon's own entries of its latest runs, oldest first, each a dictionary."""
    run("journalctl", "--sync")
    lines = run("journalctl", "--unit=rowtail.service", "--output=json", "--all", *arguments).splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    return [entry for entry in entries if entry.get("_COMM") == "rowtail"]


def reset():
    """Leaves nothing of an earlier case."""
    for client in CLIENTS:
        client.ending = True
    run("systemctl", "stop", "rowtail.socket", "rowtail.service", fails=True)
    run("systemctl", "reset-failed", "rowtail.socket", "rowtail.service", fails=True)
    for path in [*DROP_INS, *STATE, DATA]:
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True) if path.is_symlink() else None
    run("systemctl", "daemon-reload")


def configure(yaml, service="", socket=""):
    """Writes the configuration and drop-ins for the units."""
    CONFIG.write_text(yaml, encoding="utf-8")
    for folder, section, text in zip(DROP_INS, ("Service", "Socket"), (service, socket)):
        if text:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "case.conf").write_text(f"[{section}]\n{text}\n", encoding="utf-8")
    run("systemctl", "daemon-reload")


def start(yaml, service=""):
    configure(yaml, service)
    run("systemctl", "start", "rowtail.service")


def orders(database=DATA / "app.db", head=""):
    """The configuration of one feed."""
    return f"{head}database: {database}\npoll_interval: 50ms\nfeeds:\n  orders: {{start: earliest}}\n"


class Application:
    """Another program that has the database open: sqlite3, as a user of its own."""

    def __init__(self, path=DATA / "app.db", user=None, umask=0o022):
        options = {"user": user, "group": user, "extra_groups": []} if user else {}
        self.process = subprocess.Popen(
            # By lines, or what it prints would wait in its buffer.
            ["stdbuf", "-oL", "sqlite3", "-batch", "-init", "/dev/null", "-cmd", ".timeout 5000", str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, umask=umask, **options,
        )

    def sql(self, text):
        """Runs statements, and returns the lines that they print."""
        self.process.stdin.write(f"{text}\n.print end-of-statements\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line == "end-of-statements\n":
                check(not any("rror" in line for line in lines), f"{text}: {lines}")
                return lines
            lines.append(line.rstrip("\n"))
        raise Failed(f"sqlite3 ended: {lines}")

    def make(self):
        self.sql("PRAGMA journal_mode = wal; CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, customer TEXT);")
        return self

    def insert(self, count=1):
        self.sql(
            f"WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
            "INSERT INTO orders (customer) SELECT 'ada' FROM n;"
        )

    def close(self):
        self.process.stdin.close()
        check(self.process.wait(30) == 0, "sqlite3 ended with an error")


def application(**options):
    """An application with a new database in WAL mode that everyone may read."""
    DATA.mkdir(parents=True, exist_ok=True)
    return Application(**options).make()


def get(path, token=None, trust=None):
    """Status and body of an answer; `trust` is a certificate, for TLS."""
    connection = connect(trust)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def connect(trust=None):
    if not trust:
        return http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    context = ssl.create_default_context(cafile=trust)
    return http.client.HTTPSConnection("localhost", PORT, timeout=30, context=context)


def feeds():
    """What the daemon says of each feed, by name."""
    status, body = get("/feeds")
    check(status == 200, f"/feeds answers {status}: {body}")
    return {feed["name"]: feed for feed in json.loads(body)["feeds"]}


def await_state(state, feed="orders"):
    eventually(f"feed '{feed}' is {state}", lambda: feeds().get(feed, {}).get("state") == state)


class Stream:
    """One connection's events."""

    def __init__(self, feed="orders", last=None, token=None, trust=None):
        self.connection = connect(trust)
        headers = {"Last-Event-ID": last} if last else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.connection.request("GET", f"/feeds/{feed}", headers=headers)
        self.answer = self.connection.getresponse()
        check(self.answer.status == 200, f"the stream answers {self.answer.status}")

    def event(self):
        """The next event with data: its name, its id and its data; `None` at the end of the stream."""
        name = number = data = None
        while True:
            line = self.answer.readline().decode()
            if not line:
                return None
            field, _, value = line.rstrip("\n").partition(": ")
            if line.startswith(":"):
                continue
            if field == "event":
                name = value
            elif field == "id":
                number = value
            elif field == "data":
                data = value
            elif not field:
                if data is not None:
                    return name, number, data
                name = number = None

    def ids(self, count):
        return [self.event()[1] for _ in range(count)]

    def close(self):
        self.connection.close()


class Client(threading.Thread):
    """A client that comes back with the last id it saw, until it has seen the one it waits for."""

    def __init__(self):
        super().__init__(daemon=True)
        self.ids, self.last, self.connects, self.ending = [], None, 0, False
        CLIENTS.append(self)
        self.start()

    def run(self):
        while not self.ending:
            try:
                stream = Stream(last=self.last)
                self.connects += 1
                while not self.ending:
                    event = stream.event()
                    if event is None:
                        break
                    name, number, _ = event
                    # rowtail.end and its like have no id; a reset would have one, and be seen.
                    if name is None or name == "rowtail.reset":
                        self.ids.append(number if name is None else name)
                        self.last = number
            except (OSError, http.client.HTTPException, Failed):
                time.sleep(0.01)

    def await_id(self, number):
        eventually(f"event {number}", lambda: self.ids[-1:] == [str(number)])

    def end(self):
        self.ending = True


def owner(path):
    """Name of the user that a file belongs to, or its number."""
    return pathlib.Path(path).owner() if os.path.exists(path) else None
