# SPDX-License-Identifier: Apache-2.0
"""Pictures of the status page, for the documentation and to be looked at."""

import collections
import pathlib
import random
import struct
import time
import zlib

from status_page_browser import Tab

CUSTOMERS = ["ada", "grace", "edsger", "barbara", "alan", "margaret"]
FEEDS = """  orders:
  payments: {event: payment}
  users: {mode: updated, watermark: at, settle: 1ms}
  invoices: {table: invoices_2026}
"""


def take_pictures(daemon, browser, folder, minutes=5.2):
    """Writes for as long as the drawn lines reach back, and takes light, dark and phone."""
    dice = random.Random(7)
    database = daemon.database
    database.run("DROP TABLE orders")
    database.run("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, total REAL, paid TEXT)")
    database.run("CREATE TABLE payments (id INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER, amount REAL)")

    def write(load):
        for _ in range(load):
            paid = dice.choice(["card", "card", "invoice", None])
            values = [dice.choice(CUSTOMERS), round(dice.uniform(3, 250), 2), paid]
            database.run("INSERT INTO orders (customer, total, paid) VALUES (?, ?, ?)", *values)
        if dice.random() < 0.15 * load:
            total = round(dice.uniform(3, 250), 2)
            database.run("INSERT INTO payments (order_id, amount) SELECT max(id), ? FROM orders", total)
        if dice.random() < 0.05:
            now = int(time.time() * 1000)
            database.run("INSERT INTO users (name, at) VALUES (?, ?)", dice.choice(CUSTOMERS), now)

    write(1040)
    daemon.configure(feeds=FEEDS)
    daemon.start()
    tabs = []
    for name, width, height in [("light", 1280, 860), ("dark", 1280, 860), ("phone", 360, 740)]:
        scheme = "dark" if name == "dark" else "light"
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        tabs.append((name, Tab(context, daemon).open("orders")))
    begin = time.monotonic()
    last = 0
    while (now := time.monotonic() - begin) < minutes * 60:
        # Busier and quieter times, of a minute or two each, and a rush.
        load = 0.5 + (now // 70 % 3) * 0.7 + (4 if 190 < now < 205 else 0)
        write(max(0, round(dice.gauss(load, 0.6))))
        if now > minutes * 60 - 3 and not last:
            # The newest row goes away, and its id comes again.
            last = database.connection.execute("SELECT max(id) FROM orders").fetchone()[0]
            tabs[0][1].until_told("row", f'"id":{last},')
            database.run("DELETE FROM orders WHERE id = ?", last)
            for _, tab in tabs:
                tab.page.bring_to_front()
                tab.until_told("reset", "Reset: rewound")
        time.sleep(0.25)
    for name, tab in tabs:
        tab.page.bring_to_front()
        pathlib.Path(folder, f"status-page-{name}.png").write_bytes(with_palette(tab.page.screenshot(full_page=True)))


def with_palette(png):
    """A picture with 256 colours alone, in less than half the bytes (RFC 2083)."""
    width, height, depth, kind = struct.unpack_from(">IIBB", png, 16)
    assert (depth, kind) == (8, 2), "the browser writes 24 bits a pixel"
    rows = unfiltered(data_of(png), width * 3, height)
    pixels = [row[at : at + 3] for row in rows for at in range(0, width * 3, 3)]
    counts = collections.Counter(pixels)
    # Of colours that are alike the most frequent one, so that what is rare but different stays.
    kinds = {}
    for colour, _ in counts.most_common():
        kinds.setdefault(tuple(part >> 4 for part in colour), colour)
    palette = list(dict.fromkeys([*kinds.values()][:200] + [colour for colour, _ in counts.most_common()]))[:256]

    def nearest(colour):
        return min(range(len(palette)), key=lambda place: sum((a - b) ** 2 for a, b in zip(palette[place], colour)))

    places = {colour: nearest(colour) for colour in counts}
    indices = bytes(places[pixel] for pixel in pixels)
    lines = b"".join(b"\0" + indices[at : at + width] for at in range(0, len(indices), width))
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"PLTE", b"".join(palette)), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    return png[:8] + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def data_of(png):
    at, data = 8, b""
    while at < len(png):
        length, name = struct.unpack_from(">I4s", png, at)
        if name == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += 12 + length
    return zlib.decompress(data)


def unfiltered(data, stride, height):
    """The lines of a picture with three bytes a pixel (RFC 2083, section 6)."""
    above = bytes(stride)
    for number in range(height):
        kind, *rest = data[number * (stride + 1) : (number + 1) * (stride + 1)]
        line = bytearray(rest)
        for at in range(stride):
            left, corner = (line[at - 3], above[at - 3]) if at >= 3 else (0, 0)
            upper = above[at]
            if kind == 4:
                guess = left + upper - corner
                closest = min([left, upper, corner], key=lambda value: abs(guess - value))
                line[at] = (line[at] + closest) & 255
            else:
                line[at] = (line[at] + [0, left, upper, (left + upper) // 2][kind]) & 255
        yield bytes(line)
        above = bytes(line)
