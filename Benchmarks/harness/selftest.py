# SPDX-License-Identifier: Apache-2.0
"""Proves that the load client sees what a server does wrong: servers that lose, repeat and garble, on purpose."""

import socket
import threading

from .load import Load
from .processes import Fault
from .servers import free_port

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _event(number, row=None):
    return b'id: %d\ndata: {"id":%d,"at":1}\n\n' % (number, number if row is None else row)


def _chunk(body):
    return b"%x\r\n%s\r\n" % (len(body), body)


# What is sent after the head, in pieces; the words that the fault must hold, or none.
CASES = {
    "in order": ([_chunk(b"retry: 1\n\n" + _event(1)), _chunk(_event(2) + _event(3))], None),
    "cut anywhere": (
        [bytes([byte]) for byte in _chunk(b": hello\nid: 0\n\n") + _chunk(_event(1) + _event(2)) + _chunk(_event(3))],
        None,
    ),
    "one lost": ([_chunk(_event(1)), _chunk(_event(3))], "1 missing"),
    "the first lost": ([_chunk(_event(2)), _chunk(_event(3))], "1 missing"),
    "the last lost": ([_chunk(_event(1)), _chunk(_event(2)), None], "1 missing"),
    "one twice": ([_chunk(_event(1)), _chunk(_event(1)), _chunk(_event(2) + _event(3))], "1 repeated"),
    "two in the wrong order": ([_chunk(_event(2) + _event(1) + _event(3))], "1 repeated"),
    "another row's id": ([_chunk(_event(1) + _event(2, row=3) + _event(3))], "mismatched"),
    "no chunk": ([_chunk(_event(1)), b"what?\r\n", None], "1 malformed"),
    "closed early": ([_chunk(_event(1)), None], "2 missing, 1 cut"),
}


class _Server(threading.Thread):
    """Answers one client as it is told."""

    name, path, head_opens, opening = "selftest", "/", False, 1

    def __init__(self, head, pieces):
        super().__init__(daemon=True)
        self.head, self.pieces, self.port = head, pieces, free_port()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.listener.settimeout(5)
        self.start()

    def run(self):
        client, _ = self.listener.accept()
        with client:
            client.recv(4096)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in (self.head, *self.pieces):
                if piece is None:
                    return
                client.sendall(piece)
            client.settimeout(5)
            client.recv(1)


def run(bench):
    """Raises Fault when the client is satisfied with what is wrong, or not with what is right."""
    cases = {name: (HEAD, *case) for name, case in CASES.items()}
    cases["refused"] = (b"HTTP/1.1 503 No\r\n\r\n", [None], "1 refused")
    for name, (head, pieces, expected) in cases.items():
        server = _Server(head, pieces)
        found = None
        try:
            with Load(bench, server, 1, after=0, until=3, max_time=5) as load:
                load.opened()
                load.done()
                load.finish()
        except Fault as fault:
            found = str(fault)
        finally:
            server.listener.close()
        if (expected is None) != (found is None) or (expected and expected not in found):
            raise Fault(f"the load client's own test '{name}': expected '{expected}', found '{found}'")
