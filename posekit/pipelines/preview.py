"""Live preview of a video: a page on this machine that shows the newest frame with its points."""

from __future__ import annotations

import errno
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Lock, Thread
from types import TracebackType
from typing import Any

import cv2

from posekit.data.video import Image
from posekit.geometry.keypoints import Poses

HOST, PORT = "127.0.0.1", 8090
QUALITY = 80
"""Of the JPEG images."""
WAIT = 10.0
"""Seconds that a request for a frame waits for the first one."""
PAGE = b"""<!doctype html><title>posekit</title>
<style>body{margin:0;background:#111}img{display:block;margin:auto;max-width:100vw;max-height:100vh}</style>
<img src="/stream" alt="newest frame">
"""
_BOUNDARY = "frame"


class Preview:
    """A page on this machine with the newest frame; a frame that nobody looks at is neither drawn nor encoded.

    Args:
        draw: draws poses on a frame.
        port: of the page; 0: any free one.

    Raises:
        OSError: the port is taken, or must not be used.
    """

    def __init__(self, draw: Callable[[Image, Poses], Image], port: int = PORT) -> None:
        self._draw = draw
        self._new, self._encoding = Condition(), Lock()
        self._latest: tuple[int, Image, Poses] | None = None
        self._encoded: tuple[int, bytes] = (0, b"")
        self._closed = False
        try:
            self._server = _Server((HOST, port), _Handler)
        except OSError as error:
            why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise OSError(
                error.errno,
                f"preview: port {port} {why}; choose another one with --preview PORT, or 0 for any free one",
            ) from None
        except OverflowError:
            raise ValueError(f"preview: a port is a number from 0 to 65535; got {port}") from None
        self._server.preview = self
        self._thread = Thread(target=self._server.serve_forever, args=(0.1,), name="preview", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://{HOST}:{self._server.server_address[1]}/"

    def show(self, image: Image, poses: Poses) -> None:
        """Make a frame the newest one; it returns at once and keeps no other frame.

        Args:
            image: (H, W, 3) uint8 RGB; must not be changed afterwards.
            poses: in its pixels.
        """
        with self._new:
            number = 1 if self._latest is None else self._latest[0] + 1
            self._latest = (number, image, poses)
            self._new.notify_all()

    def newest(self, after: int = 0, wait: float | None = WAIT) -> tuple[int, bytes] | None:
        """The newest frame as a JPEG.

        Args:
            after: number of the frame that was seen last; waits for a newer one.
            wait: seconds to wait at most; ``None``: for as long as it takes.

        Returns:
            Its number and content; ``None`` if there is none in time, or the preview was closed.
        """
        with self._new:
            self._new.wait_for(lambda: self._closed or self._number > after, wait)
            if self._closed or self._latest is None or self._latest[0] <= after:
                return None
            number, image, poses = self._latest
        with self._encoding:
            if self._encoded[0] < number:
                drawn = cv2.cvtColor(self._draw(image, poses), cv2.COLOR_RGB2BGR)
                content = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
                self._encoded = (number, content)
            return self._encoded

    @property
    def _number(self) -> int:
        return 0 if self._latest is None else self._latest[0]

    def close(self) -> None:
        """End the page and all connections; may be called again."""
        with self._new:
            self._closed = True
            self._new.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Preview:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Without this, two programs can listen on one port of some systems, and neither is told.
    allow_reuse_address = False
    preview: Preview

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that has gone away is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """The page, its stream, or one frame."""
        if (self.headers.get("Host") or "").rpartition(":")[0] not in (HOST, "localhost"):
            # Another site's name that was made to point here must not see the camera.
            self.send_error(403)
        elif self.path == "/":
            self._send(PAGE, "text/html; charset=utf-8")
        elif self.path == "/frame.jpg":
            found = self.server.preview.newest()
            if found is None:
                self.send_error(503, "no frame yet")
            else:
                self._send(found[1], "image/jpeg")
        elif self.path == "/stream":
            self._stream()
        else:
            self.send_error(404)

    def _send(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        last = 0
        while (found := self.server.preview.newest(last, None)) is not None:
            last, content = found
            head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
            self.wfile.write(head.encode("ascii") + content + b"\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not printed between the lines of the command."""
