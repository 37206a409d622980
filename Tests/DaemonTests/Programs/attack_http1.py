# SPDX-License-Identifier: Apache-2.0
"""Clients that mean harm, on HTTP/1: python3 attack_http1.py ATTACK PORT [--count N] [--seconds S].

Holds N connections that behave as ATTACK says, opens another for each that the server closes, and prints one JSON object
at the end: how many were opened, refused, closed by the server and open at a time, and the bytes each way.
"""

import argparse
import dataclasses
import errno
import json
import random
import resource
import select
import socket
import struct
import time

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
STREAM = b"GET /feeds/orders?since=earliest HTTP/1.1\r\nHost: a\r\n\r\n"
BLOCK = b"x" * 65536


def garbage():
    return random.randbytes(random.randrange(1, 4096))


@dataclasses.dataclass
class Behaviour:
    """What each connection of an attack does."""

    # Sent first, made anew for each connection.
    first: object
    # Sent again and again after it, with a pause before each.
    more: bytes = b""
    pause: float = 0.1
    # Whether it takes what the server sends.
    reads: bool = True
    # How long it stays; for ever unless given. Then it goes with a reset.
    life: float = float("inf")
    count: int = 200


ATTACKS = {
    "slow-heads": Behaviour(lambda: b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: ", b"x", 0.2, count=1000),
    "slow-lines": Behaviour(lambda: b"GET /healthz HTTP/1.1\r\nHost: a\r\n", b"X: y\r\n", 0.5, count=1000),
    "byte-by-byte": Behaviour(lambda: b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: ", b"x", 0, count=20),
    "endless-heads": Behaviour(lambda: b"GET /healthz HTTP/1.1\r\nX: ", BLOCK, 0, count=50),
    "many-fields": Behaviour(lambda: b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"a:b\r\n" * 3200 + b"\r\n", count=50, life=0.05),
    "bodies": Behaviour(lambda: b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n", BLOCK, 0, count=50),
    "chunked-bodies": Behaviour(
        lambda: b"POST /feeds/orders HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffff\r\n", BLOCK, 0, count=50
    ),
    "garbage": Behaviour(garbage, b"\0\xff\r\n\r\n", 0.01),
    "tls-on-plain": Behaviour(lambda: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.randbytes(506)),
    "empty-lines": Behaviour(lambda: b"\r\n" * 4096, b"\r\n" * 4096, 0, count=20),
    "connects": Behaviour(lambda: b"", life=0, count=100),
    "silent": Behaviour(lambda: b"", count=10000),
    "half-heads": Behaviour(lambda: b"GET /feeds/orders HTTP/1.1\r\nHost: a\r\n", count=10000),
    "never-read": Behaviour(lambda: STREAM, reads=False, count=500),
    "pipeline": Behaviour(lambda: HEALTH * 500, HEALTH * 500, 0, count=20),
    "pipeline-unread": Behaviour(lambda: HEALTH * 500, HEALTH * 500, 0, reads=False, count=100),
    "pipeline-behind-stream": Behaviour(lambda: STREAM + HEALTH, HEALTH * 500, 0, count=20),
    "metrics": Behaviour(lambda: b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 50, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 50, 0, reads=False, count=50),
    "metrics-read": Behaviour(lambda: b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 50, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 50, 0, count=50),
    "resets": Behaviour(lambda: STREAM, life=0.02, count=100),
    "replays": Behaviour(lambda: STREAM, life=1, count=200),
    "upgrades": Behaviour(lambda: HEALTH[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAA\r\n\r\n", BLOCK, 0, count=50),
}


class Peer:
    """One connection."""

    def __init__(self, behaviour, address, source):
        self.behaviour = behaviour
        self.socket = socket.socket()
        self.socket.setblocking(False)
        if not behaviour.reads:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # It goes with a reset: nothing lingers here, and the server sees the rudest end.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.bind((source, 0))
        self.code = self.socket.connect_ex(address)
        self.waiting = behaviour.first()
        self.sends_at = 0.0
        self.ends_at = time.monotonic() + behaviour.life

    def wants(self):
        events = select.EPOLLIN | select.EPOLLRDHUP if self.behaviour.reads else 0
        endless = self.behaviour.more and not self.behaviour.pause
        return events | (select.EPOLLOUT if self.waiting or endless else 0)

    def send(self):
        self.waiting = self.waiting or self.behaviour.more
        sent = self.socket.send(self.waiting) if self.waiting else 0
        self.waiting = self.waiting[sent:]
        self.sends_at = time.monotonic() + self.behaviour.pause
        return sent


class Attack:
    """Many of them, and what came of it."""

    def __init__(self, behaviour, port, count):
        self.behaviour, self.port, self.count = behaviour, port, count
        self.epoll = select.epoll()
        self.peers = {}
        self.figures = dict(opened=0, refused=0, closed=0, most=0, sent=0, received=0)

    def open(self):
        # From several addresses, as one has not enough ports for long.
        peer = Peer(self.behaviour, ("127.0.0.1", self.port), f"127.0.0.{1 + self.figures['opened'] % 8}")
        self.figures["opened"] += 1
        if peer.code not in (0, errno.EINPROGRESS):
            self.figures["refused"] += 1
            return
        self.peers[peer.socket.fileno()] = peer
        self.epoll.register(peer.socket, select.EPOLLOUT)
        self.figures["most"] = max(self.figures["most"], len(self.peers))

    def close(self, peer, by_server):
        self.figures["closed"] += by_server
        del self.peers[peer.socket.fileno()]
        peer.socket.close()

    def serve(self, peer, events):
        try:
            if events & select.EPOLLIN and peer.behaviour.reads:
                received = len(peer.socket.recv(262144))
                self.figures["received"] += received
                if not received:
                    return self.close(peer, True)
            if events & (select.EPOLLERR | select.EPOLLHUP | select.EPOLLRDHUP):
                return self.close(peer, True)
            if events & select.EPOLLOUT:
                self.figures["sent"] += peer.send()
            self.epoll.modify(peer.socket, peer.wants())
        except BlockingIOError:
            pass
        except OSError:
            self.close(peer, True)

    def look(self):
        """Sees to what no event tells: pauses and lives that are over."""
        now = time.monotonic()
        for peer in list(self.peers.values()):
            if now >= peer.ends_at:
                self.close(peer, False)
            elif peer.sends_at and now >= peer.sends_at and self.behaviour.more and self.behaviour.pause:
                self.serve(peer, select.EPOLLOUT)

    def run(self, seconds):
        end = time.monotonic() + seconds
        looks_at = 0.0
        while time.monotonic() < end:
            for _ in range(min(500, self.count - len(self.peers))):
                self.open()
            for descriptor, events in self.epoll.poll(0.02):
                if descriptor in self.peers:
                    self.serve(self.peers[descriptor], events)
            if time.monotonic() >= looks_at:
                self.look()
                looks_at = time.monotonic() + 0.02
        for peer in list(self.peers.values()):
            self.close(peer, False)
        return self.figures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("attack", choices=ATTACKS, nargs="?")
    parser.add_argument("port", type=int, nargs="?")
    parser.add_argument("--list", action="store_true", help="name the attacks and end")
    parser.add_argument("--count", type=int)
    parser.add_argument("--seconds", type=float, default=5)
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(ATTACKS))
        return
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    behaviour = ATTACKS[arguments.attack]
    attack = Attack(behaviour, arguments.port, arguments.count or behaviour.count)
    print(json.dumps(attack.run(arguments.seconds)))


main()
