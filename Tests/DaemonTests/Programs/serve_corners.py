# SPDX-License-Identifier: Apache-2.0
"""Answers a client with what rowtail and the network may send at worst, one answer a connection, and checks what it asks.

Prints its port, then a line for each fault, then `done`. KIND is `lf` for a client that doesn't know CR alone as the end of a
line, `page` for one that begins anew at a reset, and else `all`.

serve_corners.py KIND
"""

import http.server
import sys
import threading
import time

kind = sys.argv[1]
stream = (
    'id: 1\ndata: {"name":"grâce ☕"}\n\n'
    "id: 2\r\ndata: [1,\r\ndata:2]\r\n\r\n"
    # No row, unless a line end is taken for two.
    "event: rowtail.note\r\ndata: aside\r\n\r\n"
    + (": comment\r\rid: 3\rdata: three\r\r" if kind != "lf" else ": comment\n\nid: 3\ndata: three\n\n")
    + "event: order\nid: 4\nnonsense: x\ndata\ndata: between\ndata\n\n"
    "id: 5\n\n"
    "id: 9\ndata: not whole\n"
)
reset = 'id: 3@1\nevent: rowtail.reset\ndata: {"reason":"rewound"}\n\n'
after_reset = "" if kind == "page" else "4@1"
# The id that the client is to send, the answer, and whether that has its end.
STEPS = [
    ("", 503, False),
    ("", "retry: 200\n: hello\nid: 0\n\n", False),
    ("0", stream, True),
    ("5", 429, False),
    ("5", reset if kind == "page" else f"{reset}id: 4@1\ndata: again\n\nid: 5@1\nda", False),
    (after_reset, 'event: rowtail.end\ndata: {"reason":"drain"}\n\n', True),
    (after_reset, 'id: 5@1\ndata: last\n\nevent: rowtail.end\ndata: {"reason":"head"}\n\n', True),
]
lock = threading.Lock()
step, answered = 0, 0.0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def head(self, status, *fields):
        self.send_response(status)
        for name, value in fields + (("Connection", "close"), ("Access-Control-Allow-Origin", "*")):
            self.send_header(name, value)
        self.end_headers()

    def do_OPTIONS(self):
        self.head(204, ("Access-Control-Allow-Headers", "Last-Event-ID, Authorization, Cache-Control"))
        self.close_connection = True

    def do_GET(self):
        global step, answered
        with lock:
            self.close_connection = True
            if step == len(STEPS):
                return print("fault: asked again after the end", flush=True)
            (expected, answer, has_end), last = STEPS[step], self.headers.get("Last-Event-ID", "")
            if last != expected:
                print(f"fault: step {step}: the id '{last}' instead of '{expected}'", flush=True)
            # What Retry-After said.
            if step > 0 and isinstance(STEPS[step - 1][1], int) and time.monotonic() < answered + 1:
                print(f"fault: step {step}: too early", flush=True)
            step += 1
            if isinstance(answer, int):
                exposed = ("Access-Control-Expose-Headers", "Retry-After")
                self.head(answer, ("Retry-After", "1"), ("Content-Length", "0"), exposed)
            else:
                self.send(answer.encode(), has_end)
            answered = time.monotonic()
            if step == len(STEPS):
                print("done", flush=True)

    def send(self, body, has_end):
        self.head(200, ("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked"))
        for byte in body:
            # Each in a packet of its own, so that characters and line ends come in pieces.
            self.wfile.write(b"1\r\n%c\r\n" % byte)
            self.wfile.flush()
            time.sleep(0.001)
        if has_end:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
