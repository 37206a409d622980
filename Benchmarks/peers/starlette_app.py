# SPDX-License-Identifier: Apache-2.0
"""What one writes by hand in Python: Starlette, sse-starlette, one poller, replay from the table.

DATABASE names the file.
"""

import asyncio
import contextlib
import json
import os
import sqlite3

from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.routing import Route

POLL, PAGE = 0.1, 1000
database = sqlite3.connect(os.environ["DATABASE"], isolation_level=None)
clients = set()
watermark = 0


def newer(position):
    return database.execute(
        f"SELECT id, at, payload FROM events WHERE id > ? ORDER BY id LIMIT {PAGE}", (position,)
    ).fetchall()


def render(row):
    return {
        "id": str(row[0]),
        "data": json.dumps({"id": row[0], "at": row[1], "payload": row[2]}, separators=(",", ":")),
    }


async def poll():
    global watermark
    while True:
        rows = newer(watermark)
        for row in rows:
            watermark = row[0]
            event = row[0], render(row)
            for queue in clients:
                queue.put_nowait(event)
        await asyncio.sleep(POLL if len(rows) < PAGE else 0)


async def follow(position):
    queue = asyncio.Queue()
    clients.add(queue)
    try:
        yield {"retry": 3000}
        if position is not None:
            while rows := newer(position):
                for row in rows:
                    yield render(row)
                    position = row[0]
        while True:
            found, event = await queue.get()
            if position is None or found > position:
                yield event
    finally:
        clients.discard(queue)


async def events(request):
    given = request.headers.get("last-event-id")
    return EventSourceResponse(follow(None if given is None else int(given)))


@contextlib.asynccontextmanager
async def lifespan(_):
    global watermark
    watermark = database.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0]
    task = asyncio.create_task(poll())
    yield
    task.cancel()


app = Starlette(routes=[Route("/events", events)], lifespan=lifespan)
