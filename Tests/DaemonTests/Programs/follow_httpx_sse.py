# SPDX-License-Identifier: Apache-2.0
"""Follows a feed with httpx-sse, resumes where it was cut off, and prints each row as `ID DATA` until it has a certain one.

follow_httpx_sse.py URL LAST_ID
"""

import sys
import time

import httpx
import httpx_sse

url, last = sys.argv[1:3]
last_id, retry = "", 0.1

with httpx.Client(timeout=httpx.Timeout(5, read=60), trust_env=False) as client:
    while last_id != last:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        try:
            with httpx_sse.connect_sse(client, "GET", url, headers=headers) as source:
                for event in source.iter_sse():
                    # It reports frames without data too: checkpoints and heartbeats.
                    last_id = event.id or last_id
                    retry = event.retry / 1000 if event.retry is not None else retry
                    if event.data and event.event == "message":
                        print(last_id, event.data, flush=True)
                    if last_id == last:
                        break
        except httpx.TransportError as error:
            print(f"cut off: {error!r}", file=sys.stderr)
        if last_id != last:
            time.sleep(retry)
