# SPDX-License-Identifier: Apache-2.0
"""Opens a page of docs/clients.md with a headless browser and prints the rows that it shows, as they come.

The page is served as it is, in a frame of one that watches it. Prints `(cleared)` when the rows go away, and to standard
error what the page says of its state. Ends by SIGTERM.

browse_page.py PAGE_FILE PAGE_PORT QUERY_AND_FRAGMENT [COOKIE]
"""

import http.server
import json
import pathlib
import signal
import sys
import threading

import browser

page, port, rest = pathlib.Path(sys.argv[1]).read_bytes(), int(sys.argv[2]), sys.argv[3]
cookie = sys.argv[4] if len(sys.argv) > 4 else None

FRAME = """<!doctype html><title>watch</title><iframe src=%s></iframe><script>
let sent = Promise.resolve();
function report(kind, text) {
  // One after the other, so that they arrive in order.
  sent = sent.then(() => fetch("/report", {method: "POST", body: JSON.stringify([kind, text])}));
}
const frame = document.querySelector("iframe");
frame.onload = () => {
  const [state, rows] = ["state", "rows"].map((id) => frame.contentDocument.getElementById(id));
  rows.childNodes.forEach((row) => report("row", row.textContent));
  new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.removedNodes.length > 0) report("row", "(cleared)");
      change.addedNodes.forEach((row) => report("row", row.textContent));
    }
  }).observe(rows, {childList: true});
  report("state", state.textContent);
  new MutationObserver(() => report("state", state.textContent)).observe(state, {childList: true});
};
</script>""" % json.dumps(f"/page{rest}")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if cookie and self.path == "/":
            self.send_header("Set-Cookie", f"{cookie}; Path=/; HttpOnly; SameSite=Strict")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(page if self.path.startswith("/page") else FRAME.encode() if self.path == "/" else b"", "text/html")

    def do_POST(self):
        kind, text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print(text, file=sys.stdout if kind == "row" else sys.stderr, flush=True)
        self.answer(b"", "text/plain")

    def log_message(self, *arguments):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit())
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
with browser.opened(f"http://127.0.0.1:{port}/") as running:
    while True:
        running.check()
        threading.Event().wait(0.2)
