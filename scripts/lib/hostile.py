# SPDX-License-Identifier: Apache-2.0
"""Runs attacks against a daemon while another client follows its feed, and says what each cost both of them.

Run by scripts/test-hostile. Exits with 1 when an attack cost more than it may, or the client that follows missed a row.
"""

import argparse
import json
import os
import pathlib
import resource
import shlex
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time

PROGRAMS = pathlib.Path(__file__).resolve().parents[2] / "Tests/DaemonTests/Programs"
TICKS = os.sysconf("SC_CLK_TCK")

# What an attack may cost: ten thousand connections at a few KiB each, and a delay that a person would not notice.
MOST_MEMORY = 128
MOST_DELAY = 2.0
MOST_FILES_LEFT = 24
# A stream whose client reads nothing keeps the page that was read for it, of `page_bytes`, until its event loop looks at it
# again: MiB more for 500 streams, and the time that it takes to copy as much into their sockets.
PAGES = {"never-read": 500 * 256 // 1024}
MOST_DELAYS = {"never-read": 5.0}

# Debian's tools: name, command, and whether it wants TLS.
TOOLS = [
    ("slowhttptest -H", "slowhttptest -H -c 2000 -r 500 -i 2 -x 24 -p 3 -l {seconds} -t GET -u {url}/healthz", False),
    ("slowhttptest -B", "slowhttptest -B -c 2000 -r 500 -i 2 -s 8192 -x 10 -p 3 -l {seconds} -t POST -u {url}/feeds", False),
    ("slowhttptest -R", "slowhttptest -R -c 2000 -r 500 -a 10 -b 3000 -p 3 -l {seconds} -t HEAD -u {url}/feeds/orders", False),
    ("slowhttptest -X", "slowhttptest -X -c 2000 -r 500 -w 512 -y 1024 -n 2 -z 32 -k 3 -p 3 -l {seconds} -u {url}/metrics", False),
    ("h2load", "h2load -D {seconds} -c 20 -m 100 {url}/healthz", True),
    ("h2load, streams", "h2load -D {seconds} -c 20 -m 50 {url}/feeds/orders?since=earliest&limit=100", True),
]


class Daemon:
    """A daemon with a table that gets a row ten times a second, and a client that follows it."""

    def __init__(self, binary, folder, port, tls):
        self.port, self.tls = port, tls
        self.database = f"{folder}/app.db"
        connection = sqlite3.connect(self.database)
        connection.executescript(
            "PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL, padding TEXT);"
        )
        connection.executemany("INSERT INTO orders (at, padding) VALUES (0, ?)", [("x" * 1000,)] * 5000)
        connection.commit()
        connection.close()
        more = ""
        if tls:
            subprocess.run(
                shlex.split(
                    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost"
                    f" -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout {folder}/key.pem -out {folder}/certificate.pem"
                ),
                check=True,
                stderr=subprocess.DEVNULL,
            )
            more = f"tls: {{certificate: {folder}/certificate.pem, private_key: {folder}/key.pem}}\n"
        config = pathlib.Path(folder) / "rowtail.yaml"
        config.write_text(f"listen: 127.0.0.1:{port}\ndatabase: {self.database}\nfeeds: {{orders: }}\n{more}")
        self.log = open(f"{folder}/log", "w+", encoding="utf-8")
        self.process = subprocess.Popen([binary, "serve", "--config", config], stderr=self.log)
        self.delays, self.last, self.gaps, self.cuts, self.rows = [], 0, 0, 0, 0
        self.ends, self.begins = threading.Event(), threading.Event()
        threading.Thread(target=self.write, daemon=True).start()
        threading.Thread(target=self.follow, daemon=True).start()
        if not self.begins.wait(20):
            sys.exit(f"hostile: the daemon doesn't serve\n{self.messages()}")

    def write(self):
        connection = sqlite3.connect(self.database, timeout=30, isolation_level=None)
        while not self.ends.wait(0.1):
            connection.execute("INSERT INTO orders (at, padding) VALUES (?, '')", (time.time(),))

    def follow(self):
        while not self.ends.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=60) as peer:
                    if self.tls:
                        context = ssl.create_default_context()
                        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                        peer = context.wrap_socket(peer)
                    last = f"Last-Event-ID: {self.last}\r\n" if self.last else ""
                    peer.sendall(f"GET /feeds/orders HTTP/1.1\r\nHost: a\r\n{last}\r\n".encode())
                    for line in peer.makefile("rb"):
                        self.take(line)
                        self.begins.set()
            except OSError:
                time.sleep(0.1)
            self.cuts += self.begins.is_set() and not self.ends.is_set()

    def take(self, line):
        if line.startswith(b"id: ") and line[4:].strip().isdigit():
            before, self.last = self.last, int(line[4:])
            self.gaps += before > 0 and self.last - before not in (0, 1)
        elif line.startswith(b"data: {") and b'"at":' in line:
            self.rows += 1
            self.delays.append(time.time() - json.loads(line[6:])["at"])

    def figures(self):
        folder = pathlib.Path(f"/proc/{self.process.pid}")
        status = (folder / "status").read_text(encoding="utf-8")
        # The second field is the name in parentheses, which may hold anything.
        stat = (folder / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        return dict(
            memory=int(status.split("VmRSS:")[1].split()[0]) // 1024,
            seconds=(int(stat[11]) + int(stat[12])) / TICKS,
            files=len(os.listdir(folder / "fd")),
        )

    def messages(self):
        self.log.seek(0)
        return self.log.read()[-3000:]

    def stop(self):
        self.ends.set()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


def run(daemon, command):
    """Runs one attack; returns what it cost the daemon and the client that follows."""
    before, start = daemon.figures(), time.monotonic()
    daemon.delays = []
    attack = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = []
    reader = threading.Thread(target=lambda: output.extend(attack.stdout), daemon=True)
    reader.start()
    most = dict(before)
    while attack.poll() is None:
        now = daemon.figures()
        most = {key: max(most[key], now[key]) for key in now}
        time.sleep(0.05)
    seconds = time.monotonic() - start
    reader.join()
    delays = sorted(daemon.delays) or [float("inf")]
    # What the attack took is given back, at the latest when what was half begun runs out of time.
    deadline = time.monotonic() + 15
    while (after := daemon.figures())["files"] > before["files"] + MOST_FILES_LEFT and time.monotonic() < deadline:
        time.sleep(0.1)
    return dict(
        load=(most["seconds"] - before["seconds"]) / seconds,
        memory=most["memory"] - before["memory"],
        files=most["files"],
        left=after["files"] - before["files"],
        median=delays[len(delays) // 2] * 1000,
        most=delays[-1] * 1000,
        output=" ".join("".join(output).split())[-200:],
    )


def attacks(program, port, seconds):
    listing = subprocess.run([sys.executable, program, "--list"], stdout=subprocess.PIPE, text=True, check=True)
    for name in listing.stdout.split():
        yield name, [sys.executable, str(program), name, str(port), "--seconds", str(seconds)]


def round_of(arguments, tls):
    """Runs all attacks on plain HTTP, or all on TLS; returns what was wrong."""
    faults = []
    port = arguments.port + tls
    commands = list(attacks(PROGRAMS / ("attack_http2.py" if tls else "attack_http1.py"), port, arguments.seconds))
    for name, command, wants_tls in TOOLS:
        if wants_tls == tls and shutil.which(command.split()[0]):
            url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
            commands.append((name, shlex.split(command.format(url=url, seconds=int(arguments.seconds)))))
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(arguments.binary, folder, port, tls)
        for name, command in commands:
            if arguments.only not in name:
                continue
            found = run(daemon, command)
            print(
                f"{name:<22} {found['load']:7.2f} {found['memory']:8} {found['files']:7} {found['left']:6}"
                f" {found['median']:9.1f} {found['most']:9.1f}   {found['output'] if arguments.verbose else ''}",
                flush=True,
            )
            memory, delay = MOST_MEMORY + PAGES.get(name, 0), MOST_DELAYS.get(name, MOST_DELAY)
            if found["memory"] > memory:
                faults.append(f"{name}: {found['memory']} MiB more; {memory} are allowed")
            if found["most"] > delay * 1000:
                faults.append(f"{name}: a row took {found['most']:.0f} ms; {delay} s are allowed")
            if found["left"] > MOST_FILES_LEFT:
                faults.append(f"{name}: {found['left']} descriptors more afterwards")
        if daemon.gaps or daemon.cuts:
            faults.append(f"the client that follows had {daemon.gaps} gaps and {daemon.cuts} cuts")
        if (code := daemon.stop()) != 0:
            faults.append(f"the daemon ended with {code}\n{daemon.messages()}")
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="the daemon")
    parser.add_argument("--port", type=int, default=22080, help="for plain HTTP; the next one is for TLS")
    parser.add_argument("--seconds", type=float, default=5, help="how long each attack lasts")
    parser.add_argument("--only", default="", metavar="TEXT", help="attacks whose names contain this")
    parser.add_argument("--round", choices=["plain", "tls"], help="one of the two alone")
    parser.add_argument("--verbose", action="store_true", help="also what each attack says of itself")
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print("load: processors that the daemon took; delays of the rows of a client that follows meanwhile, in ms")
    print(f"{'attack':<22} {'load':>7} {'MiB more':>8} {'files':>7} {'left':>6} {'median':>9} {'most':>9}")
    faults = []
    if arguments.round != "tls":
        faults += round_of(arguments, False)
    if arguments.round != "plain":
        faults += round_of(arguments, True)
    for fault in faults:
        print(f"hostile: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


main()
