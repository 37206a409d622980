# SPDX-License-Identifier: Apache-2.0
"""Pictures of the status page, for the documentation and to be looked at."""

import pathlib
import random
import time

CUSTOMERS = ["ada", "grace", "edsger", "barbara", "alan", "margaret"]
FEEDS = """  orders:
  users: {mode: updated, watermark: at, settle: 0s}
  payments: {event: payment}
  invoices: {table: invoices_2026}
"""


def take_pictures(daemon, browser, folder, minutes=5):
    """Writes for as long as the drawn lines reach back, and takes light, dark and phone."""
    dice = random.Random(7)
    database = daemon.database
    database.run("CREATE TABLE payments (id INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER, amount REAL)")

    def write(load):
        for _ in range(load):
            total = round(dice.uniform(3, 250), 2)
            database.last += 1
            database.run("INSERT INTO orders VALUES (?, ?, ?, NULL)", database.last, dice.choice(CUSTOMERS), total)
        if dice.random() < 0.15:
            database.run("INSERT INTO payments (order_id, amount) VALUES (?, ?)", database.last, total if load else 5)
        if dice.random() < 0.05:
            now = int(time.time() * 1000)
            database.run("INSERT INTO users (name, at) VALUES (?, ?)", dice.choice(CUSTOMERS), now)

    write(1040)
    daemon.configure(feeds=FEEDS)
    daemon.start()
    pages = []
    for name, width, height in [("light", 1280, 860), ("dark", 1280, 860), ("phone", 360, 740)]:
        scheme = "dark" if name == "dark" else "light"
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        page = context.new_page()
        page.goto(daemon.url + "#feed=orders")
        pages.append((name, page))
    end = time.monotonic() + minutes * 60
    beat = 0
    while time.monotonic() < end:
        beat += 1
        write(max(0, round(dice.gauss(1.2 + (beat // 90 % 3), 1))))
        time.sleep(0.25)
    for name, page in pages:
        page.bring_to_front()
        page.wait_for_timeout(2500)
        page.screenshot(path=pathlib.Path(folder, f"status-page-{name}.png"), full_page=name == "phone")
