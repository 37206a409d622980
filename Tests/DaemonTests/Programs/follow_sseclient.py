# SPDX-License-Identifier: Apache-2.0
"""Follows a feed with sseclient-py, resumes where it was cut off, and prints each row as `ID DATA` until it has a certain one.

follow_sseclient.py URL LAST_ID
"""

import sys
import time

import requests
import sseclient

url, last = sys.argv[1:3]
last_id = ""

session = requests.Session()
session.trust_env = False
while last_id != last:
    headers = {"Accept": "text/event-stream"}
    if last_id:
        headers["Last-Event-ID"] = last_id
    try:
        response = session.get(url, headers=headers, stream=True, timeout=(5, 60))
        response.raise_for_status()
        for event in sseclient.SSEClient(response).events():
            last_id = event.id or last_id
            if event.event == "message":
                print(last_id, event.data, flush=True)
            if last_id == last:
                break
        response.close()
    except requests.RequestException as error:
        print(f"cut off: {error!r}", file=sys.stderr)
    if last_id != last:
        time.sleep(0.1)
