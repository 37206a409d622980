# SPDX-License-Identifier: Apache-2.0
"""Uses the status page of a real daemon in a headless browser, as one of the users below.

It fails where the page doesn't do its part, and where the browser finds fault with it.

status_page.py ROWTAIL PORT USER
status_page.py ROWTAIL PORT pictures FOLDER
"""

import signal
import sys

from playwright.sync_api import sync_playwright
from status_page_access import has_a_token, has_no_mouse, reads_with_difficulty
from status_page_browser import Daemon, Fault, Tab, expect, find_browser, read_by_curl, start_proxy
from status_page_pictures import take_pictures


def sees_rows(daemon, context):
    """Rows arrive, as they were sent; they can be filtered, seen as frames, and had by curl."""
    database = daemon.database
    rows = database.insert(30)
    daemon.start()
    tab = Tab(context, daemon).open()
    tab.page.get_by_role("link", name="orders").click()
    tab.has_rows(rows[-20:])
    expect(tab.page.evaluate("document.activeElement.id"), "feed-title", "where the focus went")
    expect(tab.page.title(), "orders · rowtail", "the title")
    tab.says("stream-state", "Open, by EventSource")
    # What looks like HTML, numbers that JavaScript can't hold, and text that is no ASCII stay as they were sent.
    odd = database.insert(1, "</script><script>window.wasRun = true</script><img src=x onerror='window.wasRun = true'>")
    odd += database.insert(1, "grâce ☕ \\ \"\n", big=2**63 - 1)
    tab.has_rows(rows[-20:] + odd)
    expect(tab.page.evaluate("window.wasRun"), None, "what a row ran")
    expect(tab.page.locator("#rows img, #rows script").count(), 0, "elements made of a row")
    tab.says("feeds", "append")
    tab.until("() => document.querySelector('#feeds .is-open .id').textContent.includes('32')")
    tab.says("feed-facts", "mode append · head 32 · generation 0 · no resets · live")
    tab.says("streams", "1 of 10,000 streams")
    line = tab.page.locator("#feeds tbody").first.get_by_role("img")
    expect("rows per second" in line.get_attribute("aria-label"), True, "whether the line says what it shows")

    tab.by_id("filter").fill("GRÂCE")
    tab.has_rows(odd[1:])
    rows_after = database.insert(1) + database.insert(1, "grâce again")
    tab.has_rows(odd[1:] + rows_after[1:])
    tab.says("counts", "24 received, 2 shown by the filter")
    tab.by_id("filter").fill("")
    tab.has_rows(rows[-20:] + odd + rows_after)

    line = tab.text("curl")
    expect(line, f"curl -N '{daemon.url}feeds/orders?since=-20'", "the line for curl")
    tab.by_id("copy").click()
    expect(tab.page.evaluate("getSelection().toString()"), line, "what is selected")
    shown = tab.rows()
    tab.start_at("id", "12")
    tab.has_rows(rows[12:] + odd + rows_after)
    expect(read_by_curl(line, 20), shown[-20:], "what curl reads by the first line")
    expect(read_by_curl(tab.text("curl"), len(tab.rows())), tab.rows(), "what curl reads by the second line")
    tab.start_at("earliest")
    tab.has_rows(rows + odd + rows_after)

    tab.by_id("raw").check()
    tab.until_told("note", "Frames as they are sent")
    tab.says("stream-state", "by fetch, as EventSource shows no frames")
    tab.until_told("frame", ": heartbeat")
    last = database.insert(1)[0]
    tab.until_told("frame", f"id: {last[0]}\ndata: {last[1]}")
    frames = tab.told("frame")
    expect(frames[0].startswith("retry: ") and ": rowtail feed orders\n" in frames[0], True, "the first frame")
    expect(sum("data: " in frame for frame in frames), 1, "frames with data after the rows that were here")
    tab.by_id("raw").uncheck()
    more = database.insert(2)
    tab.has_rows(rows + odd + rows_after + more)
    tab.page.get_by_role("button", name="Clear").click()
    tab.has_rows([])

    # What would have the text after it change places is shown for what it is, and of very much text the beginning.
    [[_, turned]] = database.insert(1, "a\u202eb")
    [[_, long]] = database.insert(1, "x" * 9000)
    tab.until("() => document.querySelectorAll('#rows .row').length === 2")
    expect(tab.rows()[0][1], turned.replace("\u202e", "\\u202e"), "a row with a character that turns text")
    expect(tab.rows()[1][1], f"{long[:4000]}… ({len(long):,} characters in all)", "a long row")
    tab.page.get_by_role("button", name="Clear").click()
    tab.has_rows([])

    # More than are kept, faster than they can be drawn.
    for _ in range(40):
        many = database.insert(100)
    tab.until("(id) => document.querySelector('#rows li:last-child .id')?.textContent === id", many[-1][0])
    expect(len(tab.rows()), 500, "rows kept")
    expect(tab.rows()[-100:], many, "the newest rows")
    tab.says("counts", "4,000 received, the newest 500 are kept")
    tab.page.get_by_role("button", name="Close").click()
    expect(tab.by_id("feed").is_visible(), False, "whether the feed is open")
    daemon.wait(lambda: '"subscribers":0' in daemon.get("feeds"), "end of the stream")
    return [tab]


def pauses(daemon, context):
    """Pausing closes the stream; resuming misses nothing and repeats nothing, also before the first row."""
    database = daemon.database
    first = database.insert(3)
    daemon.start()
    tab = Tab(context, daemon).open("orders")
    tab.has_rows(first)
    pause, resume = (tab.page.get_by_role("button", name=name) for name in ("Pause", "Resume"))
    pause.click()
    tab.says("stream-state", "Paused after 3")
    daemon.wait(lambda: '"subscribers":0' in daemon.get("feeds"), "end of the stream")
    missed = database.insert(4)
    resume.click()
    tab.has_rows(first + missed)
    expect(tab.text("curl"), f"curl -N '{daemon.url}feeds/orders?last_event_id=3'", "the line for curl")
    tab.start_at("latest")
    tab.says("stream-state", "Open")
    pause.click()
    later = database.insert(2)
    resume.click()
    tab.has_rows(later)
    # An id that nobody gave out is refused, and says why.
    tab.allowed.append("status of 400")
    tab.start_at("id", "no id")
    tab.says("stream-state", "Refused: ")
    tab.start_at("id", "8")
    tab.has_rows(later[1:])
    # From now on, where there is no row yet.
    tab.page.get_by_role("link", name="users").click()
    tab.start_at("latest")
    tab.says("curl", "last_event_id=earliest")
    pause.click()
    tab.says("stream-state", "Paused after earliest")
    database.run("INSERT INTO users VALUES (1, 'ada', 7)")
    resume.click()
    tab.has_rows([["7~1", '{"id":1,"name":"ada","at":7}']])
    return [tab]


def survives_restarts(daemon, context):
    """The daemon is killed and ends in order, and comes back: it is shown, and no row is lost or repeated."""
    database = daemon.database
    rows = database.insert(3)
    daemon.start()
    tabs = [Tab(context, daemon, may_be_away=True).open("orders") for _ in range(2)]
    tabs[0].has_rows(rows)
    tabs[1].has_rows(rows)
    tabs[1].by_id("raw").check()
    tabs[1].until_told("frame", "rowtail feed orders")

    daemon.end(signal.SIGKILL)
    for tab in tabs:
        tab.page.bring_to_front()
        tab.says("connection", "No answer since ")
        tab.says("stream-state", "Away since ")
        tab.says("feeds-title", "as of ")
        tab.until_told("note", "The connection is gone")
    rows += database.insert(3)
    daemon.start()
    for tab in tabs:
        tab.page.bring_to_front()
        tab.says("connection", "Connected")
        tab.says("stream-state", "Open, by")
        tab.until_told("note", "Connected again.")
    tabs[0].has_rows(rows)
    tabs[1].until_told("frame", rows[-1][1])

    daemon.end()
    for tab in tabs:
        tab.page.bring_to_front()
        tab.says("connection", "No answer since ")
    tabs[0].until_told("end", "End: drain the daemon ends")
    tabs[1].until_told("end", 'event: rowtail.end\nid: 6\ndata: {"reason":"drain"}')
    rows += database.insert(3)
    daemon.start()
    tabs[0].has_rows(rows)
    tabs[1].until_told("frame", rows[-1][1])
    frames = [frame for frame in tabs[1].told("frame") if "data: {\"id\"" in frame]
    expect([frame.splitlines()[0] for frame in frames], [f"id: {number}" for number in range(4, 10)], "ids of frames")
    for tab in tabs:
        tab.says("connection", "Connected")
    return tabs


def is_told_of_breaks(daemon, context):
    """Resets, rows too large, feeds that go and feeds that break are shown as what they are."""
    database = daemon.database
    rows = database.insert(3)
    daemon.configure("max_event_bytes: 1KiB")
    daemon.start()
    tab = Tab(context, daemon).open("orders")
    tab.has_rows(rows)
    database.run("DELETE FROM orders WHERE id = 3")
    tab.until_told("reset", "Reset: rewound rows that were sent went away, and their ids may come again.")
    tab.until_told("reset", "Asked for 3, goes on after 2@1.")
    database.last = 2
    again = database.insert(1, "grace")
    tab.has_rows(rows + [["3@1", again[0][1]]])
    tab.says("feed-facts", "generation 1 · resets: 1 rewound")
    # A filter hides no break.
    tab.by_id("filter").fill("nothing has this")
    tab.until("() => document.querySelectorAll('#rows .row').length === 0")
    tab.until_told("reset", "Reset: rewound")
    tab.by_id("filter").fill("")
    database.insert(1, "x" * 2000)
    tab.until_told("oversize", "bytes is above max_event_bytes and was left out")

    database.run("ALTER TABLE orders RENAME TO gone")
    tab.says("feeds", "table 'orders' was dropped; it is waited for")
    tab.says("feed-facts", "broken: table 'orders' was dropped")
    database.run("ALTER TABLE gone RENAME TO orders")
    tab.says("feed-facts", "live")

    # A feed that changes ends its streams, which come back; its rows are called otherwise then.
    daemon.configure(feeds="  orders: {event: order}\n")
    daemon.reload()
    tab.until_told("end", "End: reload the feed's configuration changed")
    tab.until("() => document.querySelectorAll('#feeds tbody').length === 1")
    tab.says("stream-state", "Open")
    database.insert(1, "named")
    tab.until_told("row", '"customer":"named"')
    daemon.configure("status_page: false")
    daemon.reload()
    tab.allowed.append("status of 404")
    tab.says("connection", "The status page was turned off since ")
    daemon.configure(feeds="  users: {mode: updated, watermark: at, settle: 0s}\n")
    daemon.reload()
    tab.says("connection", "Connected")
    tab.says("feed-error", "The daemon serves no feed of this name now.")
    return [tab]


def comes_by_a_proxy(daemon, context):
    """Behind a proxy that serves it under a path, all addresses stay under that path; rows may be called anything."""
    database = daemon.database
    rows = database.insert(3)
    daemon.configure(feeds="  orders: {event: open}\n")
    daemon.start()
    daemon.url = start_proxy(daemon.url, "/tools/tail/")
    tab = Tab(context, daemon).open("orders")
    tab.has_rows(rows)
    tab.says("stream-state", "Open, by EventSource")
    rows += database.insert(2)
    tab.has_rows(rows)
    expect(read_by_curl(tab.text("curl"), 5), rows, "what curl reads")
    tab.by_id("raw").check()
    rows += database.insert(1)
    tab.until_told("frame", f"event: open\ndata: {rows[-1][1]}")
    return [tab]


USERS = {
    "sees-rows": sees_rows,
    "pauses": pauses,
    "survives-restarts": survives_restarts,
    "is-told-of-breaks": is_told_of_breaks,
    "comes-by-a-proxy": comes_by_a_proxy,
    "has-a-token": has_a_token,
    "has-no-mouse": has_no_mouse,
    "reads-with-difficulty": reads_with_difficulty,
}


def main():
    program, port, user = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    # Its path is in the pictures.
    daemon = Daemon(program, port, "/tmp/shop" if user == "pictures" else None)
    daemon.configure()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=find_browser(),
                args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"],
            )
            if user == "pictures":
                take_pictures(daemon, browser, sys.argv[4])
            else:
                for tab in USERS[user](daemon, browser.new_context(viewport={"width": 1280, "height": 860})):
                    tab.has_no_fault()
            browser.close()
    except Fault as fault:
        sys.exit(f"{user}: {fault}")
    finally:
        daemon.remove()


if __name__ == "__main__":
    main()
