"""A headless browser for tests, spoken to over two pipes in its DevTools protocol: JSON messages that end in a zero."""

import json
import os
import shutil
import subprocess
import threading
from contextlib import contextmanager, suppress

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")
"""Names on the PATH; POSEKIT_CHROMIUM names another file."""


def find_chromium():
    """The browser's file, or ``None``."""
    return os.environ.get("POSEKIT_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


class Page:
    """One open page."""

    def __init__(self, write, read):
        self._write, self._read, self._number, self._session = write, read, 0, None

    def call(self, method, **params):
        """A command's result; events are skipped."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads(self._message())
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _message(self):
        return b"".join(iter(lambda: self._byte(), b"\0"))

    def _byte(self):
        byte = self._read.read(1)
        assert byte, "the browser ended"
        return byte

    def open(self, address):
        """Open a page in a window of 1000 x 680."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        size = {"width": 1000, "height": 680, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Page.enable")
        self.call("Page.navigate", url=address)
        self.until("document.readyState == 'complete'")

    def run(self, script):
        """The value of an expression, awaited."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def until(self, condition, seconds=120):
        """Wait until an expression is true."""
        wait = f"""(async () => {{
            for (let i = 0; i < {seconds * 20} && !({condition}); i++) await new Promise((go) => setTimeout(go, 50));
            return [Boolean({condition}), document.body.innerText];
        }})()"""
        true, text = self.run(wait)
        assert true, f"after {seconds} s still not {condition}; the page says: {text[:600]}"

    def choose(self, selector, file):
        """Give a file to an input."""
        found = self.call("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})")
        self.call("DOM.setFileInputFiles", files=[str(file)], objectId=found["result"]["objectId"])


@contextmanager
def opened(browser, address, profile, *words):
    """A page in a fresh browser, which is ended afterwards."""
    (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()

    def pipes():
        # The protocol's numbers: commands come on 3, answers go to 4.
        first, second = os.dup(theirs_in), os.dup(theirs_out)
        os.dup2(first, 3), os.dup2(second, 4)
        os.set_inheritable(3, True), os.set_inheritable(4, True)

    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    words = ["--headless", "--remote-debugging-pipe", "--disable-gpu", f"--user-data-dir={profile}", *sandbox, *words]
    browsing = subprocess.Popen(
        [browser, *words],
        preexec_fn=pipes,
        close_fds=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in), os.close(theirs_out)
    limit = threading.Timer(300, browsing.kill)
    limit.start()
    try:
        with os.fdopen(ours_in, "rb") as read:
            page = Page(ours_out, read)
            page.open(address)
            yield page
            with suppress(AssertionError, OSError):
                page._session = None
                page.call("Browser.close")
    finally:
        limit.cancel()
        browsing.kill()
        browsing.wait()
        os.close(ours_out)
