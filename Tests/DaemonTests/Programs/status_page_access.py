# SPDX-License-Identifier: Apache-2.0
"""Users of status_page.py who have to get in first: with a token, without a mouse, or with difficulty."""

from axe_playwright_python.sync_playwright import Axe
from status_page_browser import Fault, Tab, expect, read_by_curl


def has_a_token(daemon, context):
    """A token is asked for, kept for the tab alone, shown only on request, and asked for again once it is gone."""
    database = daemon.database
    rows = database.insert(3)
    daemon.write("tokens", "all-0123456789abcdef\nsome-0123456789abcdef orders\n")
    daemon.configure("auth: {tokens_file: tokens}")
    daemon.start()
    tab = Tab(context, daemon, may_be_refused=True, may_be_away=True).open("orders")
    tab.says("ask", "A token is needed")
    expect(tab.by_id("overview").is_visible(), False, "whether figures are shown")
    expect(tab.page.evaluate("document.activeElement.id"), "token", "where the focus is")
    tab.page.keyboard.type("wrong")
    tab.page.keyboard.press("Enter")
    tab.says("token-error", "The token is not valid.")
    expect(tab.page.evaluate("document.activeElement.id"), "token", "where the focus is")
    # Copied from a field that hides what is in it.
    tab.by_id("token").fill("\u2022\u2022\u2022\u2022")
    tab.page.keyboard.press("Enter")
    tab.says("token-error", "signs of ASCII alone")
    tab.page.keyboard.type("wrong")
    tab.page.keyboard.press("Enter")
    tab.says("token-error", "The token is not valid.")
    # Nobody answers when it is given.
    daemon.end()
    tab.page.keyboard.type("some-0123456789abcdef")
    tab.page.keyboard.press("Enter")
    tab.says("connection", "No answer since")
    daemon.start()
    tab.has_rows(rows)
    tab.says("stream-state", "by fetch, as EventSource can't send the token")
    expect(tab.page.locator("#feeds tbody").count(), 1, "feeds that the token may read")
    line = f"curl -N -H \"Authorization: Bearer $TOKEN\" '{daemon.url}feeds/orders?since=-20'"
    expect(tab.text("curl"), line, "the line for curl")
    expect(read_by_curl(line, 3, {"TOKEN": "some-0123456789abcdef"}), rows, "what curl reads with $TOKEN")
    expect("0123456789" in tab.page.content(), False, "whether the token stands in the page")
    tab.page.get_by_label("with the token in it").check()
    expect(read_by_curl(tab.text("curl"), 3), rows, "what curl reads with the token")
    rows += database.insert(2)
    tab.has_rows(rows)

    tab.page.reload()
    tab.has_rows(rows)
    other = Tab(context, daemon, may_be_refused=True).open("orders")
    other.says("ask", "A token is needed")
    expect(other.by_id("feed").is_visible(), False, "whether another tab shows rows")

    tab.page.bring_to_front()
    daemon.configure("auth: {tokens_file: tokens, allow_query_token: true}")
    daemon.reload()
    tab.says("stream-state", "Open, by EventSource")
    rows += database.insert(2)
    tab.has_rows(rows)
    # It is taken away.
    daemon.write("tokens", "all-0123456789abcdef\n")
    daemon.reload()
    tab.until_told("end", "End: unauthorized the token may not read this feed any more")
    tab.says("ask", "The token is not valid")
    rows += database.insert(1)
    tab.by_id("token").fill("all-0123456789abcdef")
    tab.page.get_by_role("button", name="Use it").click()
    tab.has_rows(rows)
    tab.until("() => document.querySelectorAll('#feeds tbody').length === 2")
    # Nobody needs one any more, and then everybody does again.
    daemon.configure("")
    daemon.reload()
    tab.says("curl", f"curl -N '{daemon.url}feeds/orders?last_event_id=")
    tab.says("stream-state", "Open, by EventSource")
    rows += database.insert(1)
    tab.has_rows(rows)
    daemon.configure("auth: {tokens_file: tokens}")
    daemon.reload()
    tab.says("ask", "A token is needed")
    tab.by_id("token").fill("all-0123456789abcdef")
    tab.page.keyboard.press("Enter")
    rows += database.insert(1)
    tab.has_rows(rows)
    tab.page.get_by_role("button", name="Forget the token").click()
    tab.says("ask", "A token is needed")
    expect(tab.page.evaluate("sessionStorage.length"), 0, "what is kept")
    expect(tab.page.evaluate("localStorage.length") + len(context.cookies()), 0, "what is kept beyond the tab")
    return [tab, other]


def has_no_mouse(daemon, context):
    """Everything can be reached and done by the keyboard, and the focus is seen."""
    database = daemon.database
    rows = database.insert(3)
    daemon.start()
    tab = Tab(context, daemon).open()
    tab.says("feeds", "orders")
    press = tab.page.keyboard.press
    walked = []

    def step(key="Tab"):
        press(key)
        seen = tab.page.evaluate(
            """() => {
                const focused = document.activeElement;
                const style = getComputedStyle(focused), box = focused.getBoundingClientRect();
                const hasOutline = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
                const isInside = box.width > 0 && box.right > 0 && box.bottom > 0 && box.top < innerHeight;
                return [focused.id || focused.innerText, hasOutline && isInside];
            }"""
        )
        walked.append(seen[0])
        expect(seen[1], True, f"whether the focus on '{seen[0]}' is seen")
        return seen[0]

    expected = ["Skip to the feeds", "orders", "users", "What the figures mean"]
    expect([step() for _ in expected], expected, "the walk")
    press("Enter")
    tab.until("() => document.querySelector('.legend').open")
    press("Enter")
    step("Shift+Tab")
    step("Shift+Tab")
    press("Enter")
    tab.has_rows(rows)
    expect(tab.page.evaluate("document.activeElement.id"), "feed-title", "where the focus went")
    expected = ["close", "start", "Go", "pause", "clear", "filter", "raw", "log", "curl", "copy"]
    expect([step() for _ in expected], expected, "the walk through a feed")
    for _ in range(4):
        step("Shift+Tab")
    tab.page.keyboard.type("grace")
    tab.has_rows([])
    named = database.insert(1, "grace")
    tab.has_rows(named)
    press("Control+A")
    press("Delete")
    step("Shift+Tab")
    step("Shift+Tab")
    press("Enter")
    tab.says("stream-state", "Paused after 4")
    press("Enter")
    tab.says("stream-state", "Open")
    for _ in range(2):
        step("Shift+Tab")
    tab.page.keyboard.type("after")
    step()
    expect(walked[-1], "start-id", "the field for the id")
    tab.page.keyboard.type("2")
    press("Enter")
    tab.has_rows(rows[2:] + named)
    step("Shift+Tab")
    step("Shift+Tab")
    press("Enter")
    expect(tab.page.evaluate("document.activeElement.innerText"), "orders", "where the focus is after closing")
    # Going back opens it again.
    tab.page.go_back()
    tab.has_rows(rows + named)
    return [tab]


def reads_with_difficulty(daemon, context):
    """axe finds nothing in light, dark and on phones, whatever the page shows, and nothing is wider than the screen."""
    database = daemon.database
    database.insert(30)
    database.run("INSERT INTO users VALUES (123456789, 'ada', 1795408881972)")
    daemon.configure(
        "auth: {tokens_file: tokens}",
        "  orders:\n  users: {mode: updated, watermark: at}\n"
        "  missing:\n  a-rather-long-name.of_a_feed: {table: orders}\n  old: {table: orders, retired: true}\n",
    )
    daemon.write("tokens", "0123456789abcdef\n")
    daemon.start()
    tabs = []
    for name, width, height in [("light", 1280, 860), ("dark", 1280, 860), ("light", 360, 740), ("dark", 320, 640)]:
        tab = Tab(context, daemon, may_be_refused=True)
        tabs.append(tab)
        tab.page.set_viewport_size({"width": width, "height": height})
        tab.page.emulate_media(color_scheme=name)

        def check(what, tab=tab, width=width, name=name):
            results = Axe().run(tab.page)
            if results.violations_count > 0:
                raise Fault(f"axe: {what}, {name}, {width} pixels:\n{results.generate_report()}")
            fits(what, width)

        def fits(what, width, tab=tab):
            wide = tab.page.evaluate("document.documentElement.scrollWidth")
            expect(wide <= width, True, f"whether {what} fits {width} pixels, being {wide}")

        tab.open()
        tab.says("ask", "A token is needed")
        check("the question")
        tab.by_id("token").fill("wrong")
        tab.page.keyboard.press("Enter")
        tab.says("token-error", "not valid")
        check("a wrong token")
        tab.by_id("token").fill("0123456789abcdef")
        tab.page.keyboard.press("Enter")
        tab.says("feeds", "has no table 'missing'")
        tab.says("feeds", "1795408881972~123456789")
        tab.page.locator("summary").click()
        check("the figures")
        for other in [1101, 1100, 641, 640]:
            tab.page.set_viewport_size({"width": other, "height": height})
            fits("the table", other)
        tab.page.set_viewport_size({"width": width, "height": height})
        tab.page.get_by_role("link", name="orders").click()
        tab.until("() => document.querySelectorAll('#rows .row').length >= 20")
        database.insert(1, "a long text without spaces " + "x" * 400)
        tab.until_told("row", "x" * 400)
        database.run("DELETE FROM orders WHERE id = ?", database.last)
        database.last -= 1
        tab.until("() => document.querySelectorAll('#rows .reset').length === 1")
        tab.by_id("raw").check()
        tab.until_told("frame", "rowtail feed orders")
        tab.by_id("start").select_option("id")
        check("a feed")
    return tabs
