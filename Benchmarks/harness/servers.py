# SPDX-License-Identifier: Apache-2.0
"""rowtail and the C floor: how they are started, and how an event gets in."""

import http.client
import itertools
import json
import re
import socket
import threading
import time

from . import tables
from .processes import Fault, Process, await_fact

_numbers = itertools.count()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server under test. Subclasses set these and start `self.process`."""

    name = path = process = publisher = None
    # Whether a stream counts as open when its response head is there: for those that send no first frame.
    head_opens = False
    opening = 256

    def __init__(self, bench):
        self.bench = bench
        self.folder = bench.folder / f"{self.name}-{next(_numbers)}"
        self.folder.mkdir()
        self.port = free_port()

    def start(self, arguments, **options):
        self.process = Process(arguments, self.bench.server_core, self.folder / "log", **options)

    def await_port(self):
        def accepts():
            if self.process.popen.poll() is not None:
                raise Fault(f"{self.name} does not start: {self.process.log.read_text()[-2000:]}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        await_fact(accepts, 20, f"{self.name}: starting")

    def await_stream(self):
        """Waits until a request for the stream is answered, which also warms the server up."""

        def answers():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                connection.request("GET", self.path, headers={"Accept": "text/event-stream"})
                return connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False
            finally:
                connection.close()

        self.await_port()
        await_fact(answers, 20, f"{self.name}: answering")

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, body)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def publish(self, writes, rate, batch):
        """Starts `writes` of `batch` events each, `rate` a second; ids go on from 0."""
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()


class Floor(Server):
    name = "C"
    path = "/events"

    def __init__(self, bench):
        super().__init__(bench)
        self.start([bench.program("floor"), "--port", self.port])
        self.await_port()

    def replay(self, rows):
        return f"/replay?to={rows}"

    def publish(self, writes, rate, batch):
        self.request("POST", f"/publish?events={writes * batch}&rate={rate}&batch={batch}")


class TableServer(Server):
    """A server that finds events in a table."""

    def __init__(self, bench, database=None):
        super().__init__(bench)
        self.database = database or self.folder / "app.db"
        if not self.database.exists():
            tables.create(self.database)
        self.writer = None

    def replay(self, _):
        return self.path

    def publish(self, writes, rate, batch):
        arguments = [self.bench.program("writer"), "--database", self.database, "--rows", writes * batch]
        arguments += ["--batch", batch, "--rate", rate]
        self.writer = Process(arguments, self.bench.client_core, self.folder / "writer.log")

    def __exit__(self, *_):
        if self.writer:
            self.writer.stop()
        super().__exit__()


class Rowtail(TableServer):
    name = "rowtail"
    path = "/feeds/events"

    def __init__(self, bench, database=None, settings=None, feeds=None):
        super().__init__(bench, database)
        feeds = feeds or {"events": {}}
        # JSON is YAML, too.
        configuration = {
            "listen": f"127.0.0.1:{self.port}",
            "database": str(self.database),
            "limits": {"streams": 0},
            "feeds": feeds,
            **(settings or {}),
        }
        self.configuration = self.folder / "rowtail.yaml"
        self.configuration.write_text(json.dumps(configuration, indent=1))
        self.launch()

    def launch(self):
        self.start([self.bench.rowtail, "serve", "--config", self.configuration])
        self.await_port()
        await_fact(lambda: self.request("GET", "/readyz")[0] == 200, 20, "rowtail: getting ready")

    def metric(self, name, label=""):
        """The sum of a metric's samples, of those with a label."""
        text = self.request("GET", "/metrics")[1]
        samples = re.findall(rf"^{name}({{[^}}]*}})? (\S+)$", text, re.MULTILINE)
        return sum(float(value) for labels, value in samples if label in labels)


class HTTPPublisher(threading.Thread):
    """Hands events to a server that takes them by HTTP; ids follow those of the publisher before."""

    def __init__(self, before, port, path, writes, rate, render):
        super().__init__(daemon=True)
        self.first = before.first + before.writes if before else 1
        self.port, self.path, self.writes, self.rate, self.render = port, path, writes, rate, render
        self.start()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        start = time.monotonic()
        for number in range(self.writes):
            time.sleep(max(0, start + number / self.rate - time.monotonic()))
            event = {"id": self.first + number, "at": time.time_ns() // 1000, "payload": "x" * 100}
            connection.request("POST", self.path, self.render(event["id"], json.dumps(event, separators=(",", ":"))))
            connection.getresponse().read()
