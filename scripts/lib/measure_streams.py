# SPDX-License-Identifier: Apache-2.0
"""Measures what streams cost a daemon: memory while idle, processor time per delivered event.

Usage: measure_streams.py PID PORT DATABASE STREAMS EVENTS
"""

import os
import resource
import select
import socket
import sqlite3
import sys
import time

TICK = os.sysconf("SC_CLK_TCK")


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def connect(port):
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(b"GET /feeds/orders HTTP/1.1\r\nHost: localhost\r\n\r\n")
    received = b""
    while b"\nid: " not in received:
        received += client.recv(4096)
    client.setblocking(False)
    return client


def main():
    pid, port, database, count, events = sys.argv[1:]
    pid, port, count, events = int(pid), int(port), int(count), int(events)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    connect(port).close()
    before = resident_kib(pid)
    clients = [connect(port) for _ in range(count)]
    print(f"{(resident_kib(pid) - before) / count:.1f} KiB of memory per idle stream ({count} streams)")

    poll = select.epoll()
    for client in clients:
        poll.register(client, select.EPOLLIN)
    by_descriptor = {client.fileno(): client for client in clients}
    writer = sqlite3.connect(database, isolation_level=None)
    start = processor_seconds(pid)
    for _ in range(events):
        # The next row comes when the last one has reached everybody: one event per write.
        writer.execute("INSERT INTO orders (customer, note) VALUES ('ada', ?)", ("x" * 80,))
        waiting = count
        deadline = time.monotonic() + 30
        while waiting > 0:
            if time.monotonic() > deadline:
                sys.exit("measure: an event did not reach every stream within 30 seconds")
            for descriptor, _ in poll.poll(1):
                waiting -= by_descriptor[descriptor].recv(65536).count(b"\ndata: ")
    used = processor_seconds(pid) - start
    print(f"{used / (count * events) * 1e6:.1f} microseconds of processor time per delivered event")


main()
