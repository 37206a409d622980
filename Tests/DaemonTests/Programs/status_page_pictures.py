# SPDX-License-Identifier: Apache-2.0
"""Pictures of the status page, for the documentation and to be looked at."""

import pathlib
import random
import time

from status_page_browser import Tab

CUSTOMERS = ["ada", "grace", "edsger", "barbara", "alan", "margaret"]
FEEDS = """  orders:
  payments: {event: payment}
  users: {mode: updated, watermark: at, settle: 0s}
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
        tab.page.screenshot(path=pathlib.Path(folder, f"status-page-{name}.png"), full_page=True)
