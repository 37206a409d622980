# SPDX-License-Identifier: Apache-2.0
"""Other servers, for the same work in the same run. One that isn't there is left out, and the output says so."""

import json
import os
import pathlib
import shutil
import subprocess

from .processes import Process
from .servers import HTTPPublisher, Server, TableServer, free_port

CONFIGURATIONS = pathlib.Path(__file__).parent.parent / "peers"
# What peers/install brought.
FETCHED = pathlib.Path(__file__).parent.parent / ".build/peers"


def _fill(name, folder, **values):
    text = (CONFIGURATIONS / name).read_text(encoding="utf-8")
    values |= {"FOLDER": folder, "USER": "user root;" if os.geteuid() == 0 else ""}
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def _nginx():
    """The program and the folder of its modules, of the system or fetched."""
    for program, modules in (
        (shutil.which("nginx"), pathlib.Path("/usr/lib/nginx/modules")),
        (FETCHED / "nginx/usr/sbin/nginx", FETCHED / "nginx/usr/lib/nginx/modules"),
    ):
        if program and pathlib.Path(program).exists() and (modules / "ngx_nchan_module.so").exists():
            return program, modules
    return None


def _node():
    """A Node that has SQLite built in."""
    for program in (FETCHED / "node", shutil.which("node")):
        if (
            program
            and subprocess.run([program, "-e", "require('node:sqlite')"], capture_output=True, check=False).returncode
            == 0
        ):
            return program
    return None


class Nchan(Server):
    name = "nchan"
    path = "/events"

    @staticmethod
    def there():
        return _nginx()

    def __init__(self, bench):
        super().__init__(bench)
        program, modules = _nginx()
        configuration = _fill("nchan.conf", self.folder, PORT=self.port, MODULES=modules)
        self.start([program, "-p", self.folder, "-e", self.folder / "error.log", "-c", configuration])
        self.await_stream()

    def publish(self, writes, rate, batch):
        self.publisher = HTTPPublisher(self.publisher, self.port, "/publish", writes, rate, lambda _, event: event)


class Node(TableServer):
    name = "node"
    path = "/"

    @staticmethod
    def there():
        return _node()

    def __init__(self, bench, database=None):
        super().__init__(bench, database)
        self.start([_node(), "--no-warnings", CONFIGURATIONS / "node.js", self.port, self.database])
        self.await_stream()


class Starlette(TableServer):
    name = "starlette"
    path = "/events"
    python = FETCHED / "venv/bin/python"

    @classmethod
    def there(cls):
        check = [cls.python, "-c", "import starlette, sse_starlette, uvicorn, uvloop, httptools"]
        return cls.python.exists() and subprocess.run(check, capture_output=True, check=False).returncode == 0

    def __init__(self, bench, database=None):
        super().__init__(bench, database)
        options = [
            "--loop",
            "uvloop",
            "--http",
            "httptools",
            "--no-access-log",
            "--log-level",
            "warning",
            "--backlog",
            "4096",
        ]
        options += ["--app-dir", CONFIGURATIONS, "--timeout-graceful-shutdown", "1"]
        self.start(
            [self.python, "-m", "uvicorn", "starlette_app:app", "--port", self.port, *options],
            env={**os.environ, "DATABASE": str(self.database), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        self.await_stream()


class Pushpin(Server):
    """Four processes on the server's core; the application behind it on the other, not counted."""

    name = "pushpin"
    path = "/"
    # With more at a time it cuts some of them.
    opening = 8

    @staticmethod
    def there():
        return shutil.which("pushpin") and shutil.which("zurl") and _nginx()

    def __init__(self, bench):
        super().__init__(bench)
        self.control, origin_port = free_port(), free_port()
        # Paths of unix sockets are short.
        origin = _fill("pushpin_origin.conf", self.folder, ORIGIN=origin_port)
        self.origin = Process(
            [_nginx()[0], "-p", self.folder, "-e", self.folder / "origin.log", "-c", origin],
            bench.client_core,
            self.folder / "log",
        )
        configuration = _fill("pushpin.conf", self.folder, PORT=self.port, CONTROL=self.control)
        internal = pathlib.Path("/usr/lib/pushpin/internal.conf").read_text(encoding="utf-8")
        (self.folder / "internal.conf").write_text(internal.replace("ipc:///var/run/zurl/", f"ipc://{self.folder}/"))
        (self.folder / "routes").write_text(f"* 127.0.0.1:{origin_port}\n")
        sockets = {
            "in_spec": "zurl-in",
            "in_stream_spec": "zurl-in-stream",
            "out_spec": "zurl-out",
            "in_req_spec": "zurl-req",
        }
        lines = [f"{key}=ipc://{self.folder}/{name}" for key, name in sockets.items()]
        lines += ["defpolicy=allow", "allow=", "deny=", "max_open_requests=2000"]
        (self.folder / "zurl.conf").write_text("[General]\n" + "\n".join(lines) + "\n")
        zurl = f"zurl --config={self.folder}/zurl.conf --loglevel=1"
        pushpin = f"pushpin --config={configuration} --loglevel=1"
        # One shell above both, so that they count as one.
        self.start(["sh", "-c", f"trap 'kill $a $b' TERM; {zurl} & a=$!; {pushpin} & b=$!; wait $b; wait"])
        self.await_stream()

    def publish(self, writes, rate, batch):
        def render(number, event):
            content = f"id: {number}\ndata: {event}\n\n"
            return json.dumps({"items": [{"channel": "events", "formats": {"http-stream": {"content": content}}}]})

        self.publisher = HTTPPublisher(self.publisher, self.control, "/publish/", writes, rate, render)

    def __exit__(self, *_):
        super().__exit__()
        self.origin.stop()


ALL = {peer.name: peer for peer in (Nchan, Node, Starlette, Pushpin)}


def available(bench, replay=False):
    """The peers that were asked for and are there, by name; with `replay`, those that keep as many rows."""
    found = {}
    for name in bench.peers:
        if not ALL[name].there():
            bench.report.note(f"{name} is left out: it isn't installed and could not be fetched")
        elif not replay or issubclass(ALL[name], TableServer):
            found[name] = ALL[name]
    return found
