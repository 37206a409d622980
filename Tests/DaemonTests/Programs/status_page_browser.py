# SPDX-License-Identifier: Apache-2.0
"""What status_page.py drives: a daemon with a database of its own, and pages of a browser, watched for faults."""

import ctypes
import http.client
import http.server
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

PATIENCE = 30  # seconds that anything may take to become so

TABLES = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, total REAL, big INTEGER);
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, at INTEGER);
CREATE INDEX users_at ON users (at, id);
"""


class Fault(Exception):
    """Something isn't as it has to be."""


def expect(found, wanted, what):
    if found != wanted:
        raise Fault(f"{what}: found {found!r}, not {wanted!r}")


class Database:
    """The application's side of the file."""

    def __init__(self, path):
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=10)
        self.connection.executescript("PRAGMA journal_mode = WAL;" + TABLES)
        self.last = 0

    def run(self, sql, *values):
        self.connection.execute(sql, values)

    def insert(self, count=1, customer="ada", big=None):
        """Adds orders in one transaction and returns them as the page has to show them."""
        rows = []
        self.run("BEGIN")
        for _ in range(count):
            self.last += 1
            self.run("INSERT INTO orders VALUES (?, ?, 1.5, ?)", self.last, customer, big)
            row = {"id": self.last, "customer": customer, "total": 1.5, "big": big}
            rows.append([str(self.last), json.dumps(row, ensure_ascii=False, separators=(",", ":"))])
        self.run("COMMIT")
        return rows


class Daemon:
    """A rowtail on a port that stays the same over restarts."""

    def __init__(self, program, port, folder=None):
        self.program, self.port = program, port
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="rowtail-page-"))
        self.folder.mkdir(exist_ok=folder is None)
        self.url = f"http://127.0.0.1:{port}/"
        self.database = Database(self.folder / "app.db")
        self.process = None

    def configure(self, more="", feeds="  orders:\n  users: {mode: updated, watermark: at, settle: 0s}\n"):
        (self.folder / "rowtail.yaml").write_text(
            f"listen: 127.0.0.1:{self.port}\ndatabase: app.db\nstate_directory: state\n"
            f"poll_interval: 50ms\nretry: 100ms\nheartbeat_interval: 500ms\n{more}\nfeeds:\n{feeds}"
        )

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def start(self):
        self.log = open(self.folder / "log", "a")
        self.process = subprocess.Popen(
            [self.program, "serve", "--config", str(self.folder / "rowtail.yaml")],
            # PR_SET_PDEATHSIG: a test that fails kills this program, and the daemon is to go with it.
            preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL),
            stdin=subprocess.DEVNULL,
            stderr=self.log,
        )
        self.wait(self.answers, "an answer of the daemon")

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def answers(self):
        try:
            return "ok" in self.get("healthz")
        except OSError:
            return False

    def wait(self, is_so, what):
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            if time.monotonic() > deadline or (self.process and self.process.poll() is not None):
                raise Fault(f"no {what}: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.01)

    def reload(self):
        text = "configuration is"
        before = (self.folder / "log").read_text().count(text)
        self.process.send_signal(signal.SIGHUP)
        self.wait(lambda: (self.folder / "log").read_text().count(text) > before, "reload")

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        self.process = None

    def remove(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def find_browser():
    names = ["chromium", "chromium-browser", "google-chrome"]
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        sys.exit(f"no browser found (looked for {', '.join(names)}); on Debian: apt-get install chromium")
    return program


class Tab:
    """A page, and what a user sees of it; what the browser finds fault with is collected."""

    def __init__(self, context, daemon, may_be_refused=False, may_be_away=False):
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE * 1000)
        self.daemon = daemon
        self.faults = []
        errors = ["CONNECTION_REFUSED", "CONNECTION_RESET", "INCOMPLETE_CHUNKED_ENCODING", "EMPTY_RESPONSE"]
        self.allowed = [f"ERR_{error}" for error in errors] if may_be_away else []
        if may_be_refused:
            self.allowed.append("status of 401")
        self.page.on("console", self.take_message)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("request", self.take_request)

    def take_message(self, message):
        # The browser itself tells of answers that are none; nothing of the page's own is allowed.
        is_network = message.text.startswith("Failed to load resource") or "net::" in message.text
        if is_network and any(text in message.text for text in self.allowed):
            return
        self.faults.append(f"console {message.type}: {message.text}")

    def take_request(self, request):
        if not request.url.startswith((self.daemon.url, "data:")):
            self.faults.append(f"request to {request.url}")

    def open(self, feed=None):
        self.page.goto(self.daemon.url + (f"#feed={feed}" if feed else ""))
        return self

    def by_id(self, name):
        return self.page.locator(f"#{name}")

    def text(self, name):
        return self.by_id(name).inner_text()

    def until(self, script, argument=None):
        """Waits until an expression of JavaScript is true."""
        try:
            self.page.wait_for_function(script, arg=argument)
        except Exception as error:
            shown = self.page.evaluate("document.body.innerText")[-3000:]
            raise Fault(f"never true: {script} with {argument!r}\n{shown}\n{self.faults}\n{error}") from None

    def says(self, name, text):
        """Waits until an element is seen and has a text in it."""
        self.until(
            """([name, text]) => {
                const element = document.getElementById(name);
                return element.checkVisibility() && element.innerText.includes(text);
            }""",
            [name, text],
        )

    ROWS = """[...document.querySelectorAll("#rows .row")].map(
        (row) => ["id", "data"].map((part) => row.querySelector(`.${part}`).textContent))"""

    def rows(self):
        return self.page.evaluate(self.ROWS)

    def has_rows(self, rows):
        """Waits until the page shows exactly these rows."""
        self.until(f"(rows) => JSON.stringify({self.ROWS}) === JSON.stringify(rows)", rows)

    def told(self, kind):
        return self.page.locator(f"#rows .{kind} .data").all_inner_texts()

    def until_told(self, kind, text):
        self.until(
            """([kind, text]) => [...document.querySelectorAll(`#rows .${kind} .data`)]
                .some((data) => data.innerText.includes(text))""",
            [kind, text],
        )

    def start_at(self, value, event_id=None):
        self.by_id("start").select_option(value)
        if event_id is not None:
            self.by_id("start-id").fill(event_id)
        self.page.get_by_role("button", name="Go", exact=True).click()

    def has_no_fault(self):
        expect(self.faults, [], "faults that the browser found")


def start_proxy(origin, path):
    """Serves what is at an origin under a path of another one, and returns its address."""

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if not self.path.startswith(path):
                self.send_error(404)
                return
            fields = {name: self.headers[name] for name in ["Accept", "Last-Event-ID"] if name in self.headers}
            request = urllib.request.Request(origin + self.path[len(path) :], headers=fields)
            try:
                with urllib.request.urlopen(request) as answer:
                    self.pass_on(answer)
            except (OSError, http.client.HTTPException):
                # Either side went away.
                self.close_connection = True

        def pass_on(self, answer):
            self.send_response(answer.status)
            for name in ["Content-Type", "Content-Security-Policy"]:
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.end_headers()
            while part := answer.read1():
                self.wfile.write(part)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}{path}"


def read_by_curl(line, count, environment=None):
    """Runs a command line as a user would and returns its first events as [id, data]."""
    shell = subprocess.Popen(
        ["bash", "-c", f"exec {line}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **(environment or {})},
        preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL),
    )
    events, event_id = [], None
    try:
        for text in shell.stdout:
            if text.startswith("id: "):
                event_id = text[4:].rstrip("\n")
            if text.startswith("data: "):
                events.append([event_id, text[6:].rstrip("\n")])
            if len(events) == count:
                break
    finally:
        shell.kill()
        shell.wait()
    return events
