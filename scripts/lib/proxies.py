# SPDX-License-Identifier: Apache-2.0
"""Tries the snippets of docs/proxies.md with the proxies that they are for.

Run by scripts/test-proxies. Prints a line for each thing that was tried; exits with 1 when one isn't as the page says.
"""

import argparse
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/proxies.md"

# How late a row may be at the client, in seconds: the median of so many rows. A busy machine may take three attempts.
MOST_DELAY, ROWS, ROUNDS = 0.1, 20, 3

# A machine that stands still for a second may cut a stream or bring frames together; what is wrong fails every time.
ATTEMPTS = 2

# How long curl waits in vain for a frame that is held back.
VAIN = 2

# What tests can't wait for: the proxies' timeouts become this, with heartbeats three times as often.
TIMEOUT, HEARTBEAT = 3, 1
# How long old workers and processes may stay after a reload.
GRACE = 2

TOKEN = "token-0123456789abcdef"


class Failure(Exception):
    """Something is not as the page says."""


def snippet(name):
    """A block of the page, by the comment above it."""
    found = re.search(rf"<!-- test-proxies: {name} -->\n```\w+\n(.*?)```\n", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    if not found:
        raise Failure(f"{PAGE.name}: no block after the comment 'test-proxies: {name}'; put it back")
    return found.group(1)


def replaced(text, changes):
    """A snippet with what tests have to have otherwise; each change has to find its place."""
    for old, new in changes.items():
        if old not in text:
            raise Failure(f"{PAGE.name}: the block has no '{old}' to put '{new}' in place of; change scripts/lib/proxies.py")
        text = text.replace(old, new)
    return text


def wait_for(what, condition, seconds=20):
    """Waits until something is so."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise Failure(f"waited {seconds} s for {what}")
        time.sleep(0.02)
    return value


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


class Program:
    """A program that runs meanwhile."""

    def __init__(self, folder, name, command, ports, environment=None):
        self.name, self.log = name, folder / f"{name}.log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env={**os.environ, **(environment or {})}
            )
        for port in ports:
            self.wait_until_open(port)

    def wait_until_open(self, port):
        def is_up():
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended with {self.process.returncode}\n{self.log.read_text()[-3000:]}")
            return is_open(port)

        wait_for(f"{self.name} to listen on {port}", is_up)

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Table:
    """The table that both daemons watch, and a writer's connection to it."""

    def __init__(self, folder):
        self.path = folder / "app.db"
        self.connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        self.connection.executescript(
            "PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL);"
        )
        self.add(5)

    def add(self, rows=1):
        for _ in range(rows):
            self.connection.execute("INSERT INTO orders (at) VALUES (?)", (time.time(),))
        return self.connection.execute("SELECT max(id) FROM orders").fetchone()[0]


def daemon(folder, binary, name, port, table, heartbeat, more=""):
    config = folder / f"{name}.yaml"
    config.write_text(
        f"listen: 127.0.0.1:{port}\ndatabase: {table.path}\nheartbeat_interval: {heartbeat}s\nfeeds: {{orders: }}\n{more}",
        encoding="utf-8",
    )
    return Program(folder, name, [binary, "serve", "--config", config], [port])


class Stream:
    """One request by curl, its frames as they come."""

    def __init__(self, url, fields=()):
        command = ["curl", "--silent", "--no-buffer", "--http2", "--insecure", "--include", "--max-time", "60", url]
        # As browsers do, and so that a proxy that compresses does.
        for field in ["Accept: text/event-stream", "Accept-Encoding: gzip, br, zstd", *fields]:
            command += ["--header", field]
        self.start = time.monotonic()
        self.head, self.frames, self.end = [], [], None
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        in_head, frame = True, {}
        # Not line by line through a buffer: it is the times that matter.
        for line in iter(self.process.stdout.readline, b""):
            line = line.decode("utf-8", "replace").rstrip("\r\n")
            if in_head:
                in_head = bool(line)
                self.head.append(line.lower())
            elif line:
                name, _, value = line.partition(":")
                frame[name] = value.removeprefix(" ")
            else:
                frame["came"], frame["seconds"] = time.time(), time.monotonic() - self.start
                self.frames.append(frame)
                frame = {}
        self.end = time.monotonic() - self.start

    def first(self):
        """The first frame, which comes without waiting for anything."""
        wait_for("the first frame", lambda: self.frames or self.end is not None)
        if not self.frames:
            raise Failure(f"no frame came: {self.head}")
        return self.frames[0]

    @property
    def events(self):
        return [frame for frame in self.frames if "data" in frame]

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()


class Follower(threading.Thread):
    """A client that comes back with the last id it saw, as EventSource does."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.ids, self.last, self.connections, self.is_over = url, [], None, 0, False
        self.stream = None
        self.start()

    def run(self):
        while not self.is_over:
            self.connections += 1
            self.stream = Stream(self.url, [f"Last-Event-ID: {self.last}"] if self.last else [])
            seen = 0
            while self.stream.end is None or seen < len(self.stream.frames):
                for frame in self.stream.frames[seen:]:
                    seen += 1
                    self.last = frame.get("id", self.last)
                    if "data" in frame and frame.get("event") is None:
                        self.ids.append(int(frame["id"]))
                time.sleep(0.01)
            time.sleep(0.05)

    def stop(self):
        self.is_over = True
        if self.stream:
            self.stream.stop()
        self.join()


class Proxy:
    """What all of them have: ports, a certificate, and a configuration made of the page's snippet."""

    with_cookies = None

    def __init__(self, setting, port):
        self.setting, self.port = setting, port
        self.folder = setting.folder / self.name
        self.folder.mkdir()
        self.program = None

    @property
    def url(self):
        return f"https://localhost:{self.port}"

    def begin(self, upstream, changes=None):
        """Starts with the snippet, and with changes to it that make it a bad one."""
        self.end()
        self.write(replaced(self.config(upstream), changes or {}))
        self.program = self.run()

    def end(self):
        if self.program:
            self.program.stop()
            wait_for(f"{self.name} to end", lambda: not is_open(self.port))
        self.program = None

    def write(self, text):
        self.file.write_text(text, encoding="utf-8")


class Nginx(Proxy):
    name = "nginx"

    @staticmethod
    def with_cookies():
        both = snippet("nginx cookie").split("\n\n")
        return {"server {\n": f"{both[0]}\nserver {{\n", "proxy_buffering off;\n        proxy_read": f"{both[1]}proxy_buffering off;\n        proxy_read"}

    broken = {
        # As it would be without these lines, if rowtail didn't say X-Accel-Buffering: no.
        "buffering": (
            {"proxy_buffering off;": "proxy_ignore_headers X-Accel-Buffering;", "proxy_http_version 1.1;": ""},
            "proxy_buffering off",
        ),
        "losing ids": ({"proxy_buffering off;": 'proxy_buffering off; proxy_set_header Last-Event-ID "";'}, "proxy_set_header Last-Event-ID"),
    }
    compressing = ({"gzip off;": ""}, "gzip off")
    impatient = ({}, "proxy_read_timeout")

    @property
    def file(self):
        return self.folder / "nginx.conf"

    def config(self, upstream):
        main = replaced(snippet("nginx main"), {"10m": f"{GRACE}s"})
        server = replaced(
            snippet("nginx"),
            {
                "listen 443": f"listen 127.0.0.1:{self.port}",
                "example.org;": "localhost;",
                "/etc/ssl/example.org.crt": str(self.setting.certificate),
                "/etc/ssl/example.org.key": str(self.setting.key),
                "127.0.0.1:8080": f"127.0.0.1:{upstream}",
                "proxy_read_timeout 1m": f"proxy_read_timeout {TIMEOUT}s",
            },
        )
        below = replaced(snippet("nginx prefix"), {"127.0.0.1:8080": f"127.0.0.1:{upstream}"})
        server = replaced(server, {"    location /feeds {": f"{below}    location /feeds {{"})
        temporary = "".join(f"{kind}_temp_path {kind};\n" for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        # Everything else of the site is compressed.
        return (
            f"{main}daemon off;\nerror_log stderr;\npid {self.folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}"
            f"gzip on;\ngzip_types *;\ngzip_proxied any;\n{server}}}\n"
        )

    def run(self):
        return Program(self.folder, "nginx", ["nginx", "-p", self.folder, "-c", self.file], [self.port])

    def reload(self):
        self.program.process.send_signal(signal.SIGHUP)


class Caddy(Proxy):
    name = "caddy"
    broken = {
        "buffering": ({"flush_interval -1": "flush_interval -1\nbuffer_responses"}, "buffer_responses"),
        "losing ids": ({"flush_interval -1": "flush_interval -1\nheader_up -Last-Event-ID"}, "header_up -Last-Event-ID"),
    }
    compressing = ({"encode @others gzip": "encode {\ngzip\nminimum_length 1\nmatch {\nheader Content-Type text/event-stream*\n}\n}"}, "encode")
    impatient = ({"flush_interval -1": f"flush_interval -1\ntransport http {{\nread_timeout {TIMEOUT}s\n}}"}, "read_timeout")

    @property
    def file(self):
        return self.folder / "Caddyfile"

    def config(self, upstream):
        own = f"https://localhost:{self.port} {{\nbind 127.0.0.1\ntls {self.setting.certificate} {self.setting.key}"
        more = f"admin 127.0.0.1:{self.port + 1}\nauto_https disable_redirects\n"
        below = replaced(snippet("caddy prefix"), {"127.0.0.1:8080": f"127.0.0.1:{upstream}"})
        return replaced(
            snippet("caddy"),
            {
                "grace_period 10m": f"grace_period {GRACE}s\n{more}",
                "example.org {": f"{own}\n{below}",
                "not path /feeds*": "not path /feeds* /live/feeds*",
                "127.0.0.1:8080": f"127.0.0.1:{upstream}",
            },
        )

    def run(self):
        home = {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        command = ["caddy", "run", "--config", self.file, "--adapter", "caddyfile"]
        return Program(self.folder, "caddy", command, [self.port], home)

    def reload(self):
        # It does nothing when nothing changed.
        command = ["caddy", "reload", "--force", "--config", self.file, "--adapter", "caddyfile"]
        command += ["--address", f"127.0.0.1:{self.port + 1}"]
        done = subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
        if done.returncode:
            raise Failure(f"caddy reload: {done.stdout[-2000:]}")


class HAProxy(Proxy):
    name = "haproxy"
    broken = {
        "buffering": ({"option http-no-delay": "http-response wait-for-body time 30s at-least 16000"}, "wait-for-body"),
        "losing ids": ({"option http-no-delay": "http-request del-header Last-Event-ID"}, "del-header Last-Event-ID"),
    }
    compressing = None
    impatient = ({}, "timeout server")

    @property
    def file(self):
        return self.folder / "haproxy.cfg"

    def config(self, upstream):
        pem = self.folder / "both.pem"
        pem.write_text(self.setting.certificate.read_text() + self.setting.key.read_text(), encoding="utf-8")
        return replaced(
            snippet("haproxy"),
            {
                "10m": f"{GRACE}s",
                "bind :443": f"bind 127.0.0.1:{self.port}",
                "/etc/ssl/example.org.pem": str(pem),
                "127.0.0.1:8080": f"127.0.0.1:{upstream}",
                "    use_backend": f"{snippet('haproxy prefix')}    use_backend",
                "timeout client 1m": f"timeout client {TIMEOUT}s",
                # With compression of everything that may be.
                "timeout server 1m": f"timeout server {TIMEOUT}s\n    compression algo gzip",
            },
        )

    def run(self):
        return Program(self.folder, "haproxy", ["haproxy", "-W", "-db", "-f", self.file], [self.port])

    def reload(self):
        self.program.process.send_signal(signal.SIGUSR2)


class Trial:
    """Everything that is tried with one proxy."""

    def __init__(self, setting, proxy):
        self.setting, self.proxy, self.faults = setting, proxy, []

    def run(self):
        for trial in [
            self.delivers,
            self.stays_open,
            self.passes_ids,
            self.serves_below_a_prefix,
            self.passes_on_no_more_than_feeds,
            self.takes_tokens_from_cookies,
            self.survives_reload,
            self.pleases_probe,
            self.shows_what_is_broken,
        ]:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    trial()
                    break
                except Failure as failure:
                    self.say("again" if attempt < ATTEMPTS else "FAILED", f"{trial.__name__}: {failure}")
                    if self.setting.verbose and self.proxy.program:
                        print(self.proxy.program.log.read_text()[-2000:], file=sys.stderr)
                    if attempt == ATTEMPTS:
                        self.faults.append(f"{self.proxy.name}: {trial.__name__}: {failure}")
                    self.proxy.end()
        self.proxy.end()
        return self.faults

    def say(self, verdict, text):
        print(f"  {self.proxy.name:<8} {verdict:<7} {text}", flush=True)

    def good(self):
        if not self.proxy.program:
            self.proxy.begin(self.setting.port)

    @property
    def url(self):
        return f"{self.proxy.url}/feeds/orders"

    def delivers(self):
        """HTTP/2, nothing compressed, and rows at once."""
        self.good()
        stream = Stream(self.url)
        try:
            first = stream.first()
            if not stream.head[0].startswith("http/2 200"):
                raise Failure(f"the answer is '{stream.head[0]}'")
            if packed := [line for line in stream.head if line.startswith("content-encoding")]:
                raise Failure(f"the stream is compressed: {packed}")
            medians = []
            for _ in range(ROUNDS):
                seen = len(stream.events)
                for number in range(ROWS):
                    self.setting.table.add()
                    # The next one when this one is there: rows that come together would hide a buffer.
                    wait_for("a row", lambda: len(stream.events) > seen + number, 5)
                delays = [frame["came"] - json.loads(frame["data"])["at"] for frame in stream.events[seen:]]
                medians.append(statistics.median(delays))
                if medians[-1] < MOST_DELAY:
                    break
            if medians[-1] >= MOST_DELAY:
                raise Failure(f"rows took {[f'{median * 1000:.0f}' for median in medians]} ms, in the middle of {ROWS}")
            words = f"HTTP/2, not compressed, first frame after {first['seconds'] * 1000:.0f} ms"
            self.say("ok", f"{words}, rows after {medians[-1] * 1000:.1f} ms (median of {ROWS})")
        finally:
            stream.stop()

    def stays_open(self):
        """Heartbeats keep a quiet stream past the proxy's timeout."""
        changes, _ = self.proxy.impatient
        self.proxy.begin(self.setting.port, changes)
        stream = Stream(self.url)
        try:
            stream.first()
            wait_for("two and a half timeouts", lambda: stream.end or time.monotonic() - stream.start > 2.5 * TIMEOUT)
            if stream.end:
                raise Failure(f"a quiet stream with heartbeats every {HEARTBEAT} s was cut after {stream.end:.1f} s")
            row = self.setting.table.add()
            wait_for("a row after the silence", lambda: any(frame["id"] == str(row) for frame in stream.events), 5)
            self.say("ok", f"a quiet stream is open after {2.5 * TIMEOUT:.1f} s, with a timeout of {TIMEOUT} s")
        finally:
            stream.stop()
        self.proxy.end()

    def passes_ids(self):
        self.good()
        last = self.setting.table.add()
        stream = Stream(self.url, [f"Last-Event-ID: {last - 3}"])
        try:
            if stream.first().get("id") != str(last - 3):
                raise Failure(f"Last-Event-ID: {last - 3} was answered by {stream.frames[0]}")
            wait_for("three events", lambda: len(stream.events) >= 3, 5)
            ids = [int(frame["id"]) for frame in stream.events]
            if ids != [last - 2, last - 1, last]:
                raise Failure(f"after {last - 3} came {ids}")
            self.say("ok", "Last-Event-ID passes: the stream goes on after it")
        finally:
            stream.stop()

    def serves_below_a_prefix(self):
        self.good()
        stream = Stream(f"{self.proxy.url}/live/feeds/orders?since=-2")
        try:
            stream.first()
            wait_for("two events", lambda: len(stream.events) >= 2, 5)
            self.say("ok", "the same below a prefix")
        finally:
            stream.stop()

    def passes_on_no_more_than_feeds(self):
        """What no token guards stays inside."""
        self.good()
        for prefix in ("", "/live"):
            status, body = self.ask(f"{prefix}/feeds")
            if status != 200 or '"orders"' not in body:
                raise Failure(f"{prefix}/feeds was answered by {status} {body[:200]}")
            for path in ("/metrics", "/readyz", "/status", "/"):
                _, body = self.ask(prefix + path)
                if "rowtail_" in body or '"ready"' in body or "orders" in body:
                    raise Failure(f"{prefix}{path} is there for everybody: {body[:200]}")
        self.say("ok", "/feeds is passed on, /metrics and what else no token guards is not")

    def ask(self, path):
        command = ["curl", "--silent", "--insecure", "--max-time", "10", "--write-out", "\n%{http_code}", self.proxy.url + path]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=30, check=False)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), body

    def takes_tokens_from_cookies(self):
        if not self.proxy.with_cookies:
            return
        self.proxy.begin(self.setting.guarded_port, self.proxy.with_cookies())
        good, bad = Stream(self.url, [f"Cookie: rowtail={TOKEN}"]), Stream(self.url, ["Cookie: rowtail=another-0123456789"])
        sent = Stream(self.url, [f"Authorization: Bearer {TOKEN}"])
        try:
            good.first()
            sent.first()
            wait_for("an answer", lambda: bad.end is not None)
            if not bad.head[0].startswith("http/2 401"):
                raise Failure(f"a cookie with a token that is none was answered by {bad.head}")
            self.say("ok", "a cookie's token is taken, as is that of Authorization; another's is refused")
        finally:
            for stream in (good, bad, sent):
                stream.stop()
        self.proxy.end()

    def survives_reload(self):
        self.good()
        table, start = self.setting.table, self.setting.table.add()
        follower = Follower(f"{self.url}?since={start}")
        try:
            wait_for("the follower", lambda: follower.stream and follower.stream.frames)
            last = table.add(5)
            wait_for("rows before the reload", lambda: last in follower.ids)
            problems = []
            reload = threading.Thread(target=self.reload, args=[problems], daemon=True)
            reload.start()
            deadline = time.monotonic() + GRACE + 2
            while time.monotonic() < deadline:
                last = table.add()
                time.sleep(0.05)
            reload.join(30)
            if problems:
                raise problems[0]
            wait_for("the rows after the reload", lambda: last in follower.ids)
            expected = list(range(start + 1, last + 1))
            if follower.ids != expected:
                missed, twice = set(expected) - set(follower.ids), len(follower.ids) - len(set(follower.ids))
                raise Failure(f"the client missed {sorted(missed)} and got {twice} twice")
            connections = follower.connections
            if connections < 2:
                raise Failure("the stream outlived the reload and the time that it grants: nothing was reloaded")
            self.say("ok", f"a reload: {len(expected)} rows once each, over {connections} connection{'s' * (connections > 1)}")
        finally:
            follower.stop()

    def reload(self, problems):
        try:
            self.proxy.reload()
        except (Failure, subprocess.SubprocessError) as problem:
            problems.append(Failure(str(problem)))

    def probe(self, *arguments):
        command = [self.setting.binary, "probe", self.url, "--insecure", "--json", *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        try:
            report = json.loads(done.stdout)
        except ValueError:
            raise Failure(f"rowtail probe ended with {done.returncode}: {done.stdout}") from None
        findings = [f"{one['level']} {one['topic']}: {one['message']}; {one['remedies']}" for one in report["findings"]]
        return done.returncode, report, "\n    ".join(findings)

    def pleases_probe(self):
        self.good()
        code, report, findings = self.probe()
        if code or report["verdict"] != "ok" or report["http_version"] != "HTTP/2":
            raise Failure(f"rowtail probe ended with {code}\n    {findings}")
        self.say("ok", "rowtail probe has nothing to say against it")

    def shows_what_is_broken(self):
        """The same, made bad on purpose: the proof that the trials and the probe can fail."""
        proxy = self.proxy
        for what, (changes, remedy) in proxy.broken.items():
            proxy.begin(self.setting.port, changes)
            if what == "buffering":
                self.holds_frames_back()
            self.expect(what, remedy, 1, "--duration", "5s")
        if proxy.compressing:
            changes, remedy = proxy.compressing
            proxy.begin(self.setting.port, changes)
            self.expect("compressing", remedy, None)
        changes, remedy = proxy.impatient
        proxy.begin(self.setting.slow_port, changes)
        self.expect("cutting quiet streams", remedy, 1)

    def holds_frames_back(self):
        stream = Stream(self.url)
        try:
            wait_for("nothing", lambda: time.monotonic() - stream.start > VAIN)
            if stream.frames:
                raise Failure(f"a frame came in spite of a buffer: {stream.frames}")
        finally:
            stream.stop()

    def expect(self, what, remedy, expected, *arguments):
        code, report, findings = self.probe(*arguments)
        remedies = " ".join(text for one in report["findings"] if one["level"] != "ok" for text in one["remedies"])
        if (expected is not None and code != expected) or report["verdict"] == "ok" or remedy not in remedies:
            raise Failure(f"rowtail probe doesn't name '{remedy}' for a proxy that is {what}, and ended with {code}\n    {findings}")
        self.say("ok", f"{what} on purpose: rowtail probe says '{remedy}'")
        if self.setting.verbose:
            print(f"    {findings}")


class Setting:
    """What the trials share."""

    def __init__(self, arguments, folder):
        self.folder, self.binary, self.verbose = folder, arguments.binary, arguments.verbose
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost".split()
        command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", self.key, "-out", self.certificate]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        self.table = Table(folder)
        self.port, self.slow_port, self.guarded_port = arguments.port, arguments.port + 1, arguments.port + 8
        tokens = folder / "tokens"
        tokens.write_text(f"{TOKEN}\n", encoding="utf-8")
        tokens.chmod(0o600)
        # The second one is silent for longer than any proxy waits here.
        self.daemons = [
            daemon(folder, self.binary, "rowtail", self.port, self.table, HEARTBEAT),
            daemon(folder, self.binary, "quiet", self.slow_port, self.table, 60),
            daemon(folder, self.binary, "guarded", self.guarded_port, self.table, HEARTBEAT, "auth: {tokens_file: tokens}\n"),
        ]

    def stop(self):
        for program in self.daemons:
            program.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="the daemon")
    parser.add_argument("--port", type=int, default=23300, help="the first of ten ports")
    parser.add_argument("--only", choices=["nginx", "caddy", "haproxy"], help="one of them alone")
    parser.add_argument("--verbose", action="store_true", help="also what rowtail probe says of what is broken")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    faults, start = [], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rowtail-proxies-") as name:
        # Workers of nginx run as another user.
        os.chmod(name, 0o755)
        setting, proxy = None, None
        try:
            setting = Setting(arguments, pathlib.Path(name))
            for offset, kind in enumerate([Nginx, Caddy, HAProxy]):
                if arguments.only in (None, kind.name):
                    proxy = kind(setting, arguments.port + 2 + 2 * offset)
                    faults += Trial(setting, proxy).run()
        except Failure as failure:
            faults.append(str(failure))
        finally:
            if proxy:
                proxy.end()
            if setting:
                setting.stop()
    print(f"{'FAILED' if faults else 'passed'} in {time.monotonic() - start:.0f} s")
    for fault in faults:
        print(f"proxies: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


main()
