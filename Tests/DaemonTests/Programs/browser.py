# SPDX-License-Identifier: Apache-2.0
"""A headless browser, for the programs next door that have it open a page of theirs."""

import contextlib
import ctypes
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

NAMES = ["chromium", "chromium-browser", "google-chrome"]


class Browser:
    """The browser while it runs."""

    def __init__(self, process, log):
        self.process, self.log = process, log

    def check(self):
        """Ends this program when the browser did."""
        if self.process.poll() is not None:
            sys.exit(f"the browser ended with {self.process.returncode}: {self.log.read_text(errors='replace')[-2000:]}")


@contextlib.contextmanager
def opened(url):
    """Opens a page, and closes the browser with the block."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        sys.exit(f"no browser found (looked for {', '.join(NAMES)}); on Debian: apt-get install chromium")
    profile = tempfile.mkdtemp(prefix="rowtail-browser-")
    log = pathlib.Path(profile, "log")
    process = subprocess.Popen(
        [
            program,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--no-proxy-server",
            "--disable-background-networking",
            f"--user-data-dir={profile}",
            # Keeps it running; nobody connects to it.
            "--remote-debugging-port=0",
            url,
        ],
        # PR_SET_PDEATHSIG: a test that fails kills this program, and the browser is to go with it.
        preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGTERM),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=open(log, "w"),
    )
    try:
        yield Browser(process, log)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
        shutil.rmtree(profile, ignore_errors=True)
