# SPDX-License-Identifier: Apache-2.0
"""Follows a feed with a headless browser and prints each row as `ID DATA` until it has a certain one.

It uses the browser's own EventSource or, with a token, which EventSource can't send, fetch(). Then it tries a wrong token
first, and prints what it can read of the answer.

The page is served from here, and hands the rows back to here. Its origin is http://127.0.0.1:PAGE_PORT, which the feed's
server must allow.

follow_chromium.py URL LAST_ID PAGE_PORT [TOKEN]
"""

import http.server
import json
import sys
import threading

import browser

url, last, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
token = sys.argv[4] if len(sys.argv) > 4 else None

REPORT = """
let sent = Promise.resolve();
function report(kind, id, data) {
  // One after the other, so that they arrive in order.
  sent = sent.then(() => fetch("/report", {method: "POST", body: JSON.stringify([kind, id, data])}));
}
"""

EVENT_SOURCE = """
const source = new EventSource(url);
source.onmessage = (event) => report("row", event.lastEventId, event.data);
source.onopen = () => report("open", "", "");
source.onerror = () => report(source.readyState === EventSource.CLOSED ? "closed" : "error", "", "");
source.addEventListener("rowtail.reset", (event) => report("reset", event.lastEventId, event.data));
"""

FETCH = """
let lastEventId = "";
let event = {};
function read(line) {
  if (line === "") {
    if (event.id !== undefined) lastEventId = event.id;
    if (event.data !== undefined) report(event.event?.replace("rowtail.", "") ?? "row", lastEventId, event.data);
    event = {};
    return;
  }
  const colon = line.indexOf(":");
  if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, "");
}
async function connect(token) {
  const headers = {Authorization: "Bearer " + token, "Cache-Control": "no-store"};
  if (lastEventId !== "") headers["Last-Event-ID"] = lastEventId;
  const answer = await fetch(url, {headers});
  if (answer.status !== 200) {
    const code = (await answer.json()).error.code;
    return report("refused", "", [answer.status, code, answer.headers.get("WWW-Authenticate")].join(" "));
  }
  report("open", "", "");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  event = {};
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\\n");
    rest = lines.pop();
    lines.forEach(read);
  }
}
async function follow() {
  await connect("wrong");
  for (;;) {
    await connect(token).catch((error) => report("error", "", String(error)));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
follow();
"""

PAGE = "<!doctype html><title>rows</title><script>\nconst url = %s, token = %s;\n%s</script>" % (
    json.dumps(url),
    json.dumps(token),
    REPORT + (FETCH if token else EVENT_SOURCE),
)

done = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(PAGE.encode() if self.path == "/" else b"", "text/html")

    def do_POST(self):
        kind, event_id, data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(b"", "text/plain")
        if kind == "row":
            print(event_id, data, flush=True)
        else:
            print(kind, event_id, data, file=sys.stderr, flush=True)
        if event_id == last:
            done.set()

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()

with browser.opened(f"http://127.0.0.1:{port}/") as running:
    while not done.wait(0.2):
        running.check()
