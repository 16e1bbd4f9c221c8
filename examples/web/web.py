#!/usr/bin/env -S python3 -S -E
"""A small web service: the program of every release in this folder.

It says at /healthz and / which release it is and on which machine. A release folder holds a
link to this file, `run`, and `release.json`, which names the release and what is wrong with it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any

MEBIBYTE = 1 << 20
LEAK_LIMIT = 256 * MEBIBYTE
LEAK_STEP = 4 * MEBIBYTE
LEAK_PAUSE = 0.1


class Service(BaseHTTPRequestHandler):
    """Answer every known path with who we are."""

    release: dict[str, Any]

    def do_GET(self) -> None:
        """Answer a probe, or a person."""
        if self.path not in {"/", "/healthz"}:
            self._answer(404, {"error": "not found"})
            return
        time.sleep(self.release.get("answer_seconds", 0))
        self._answer(
            self.release.get("status", 200),
            {
                "version": self.release["version"],
                "instance_id": os.environ.get("INSTANCE_ID", ""),
                "boot_id": os.environ.get("BOOT_ID", ""),
                "zone": os.environ.get("ZONE", ""),
            },
        )

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Keep the console for what matters: probes come every few seconds."""


class Server(ThreadingHTTPServer):
    """Bind to the machine's own address only, without asking what its name is."""

    request_queue_size = 64

    def server_bind(self) -> None:
        """Skip the name look-up of HTTPServer, which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]


def main() -> None:
    """Serve, as well or as badly as the release file says."""
    release = json.loads((Path.cwd() / "release.json").read_text())
    if release.get("crashes"):
        sys.exit(f"release {release['version']}: cannot start")
    if "dies_after_seconds" in release:
        threading.Thread(target=die_after, args=(release["dies_after_seconds"],), daemon=True).start()
    if release.get("leaks"):
        threading.Thread(target=leak, daemon=True).start()
    Service.release = release
    Server((os.environ["ADDRESS"], int(os.environ["PORT"])), Service).serve_forever()


def die_after(seconds: float) -> None:
    """End the whole process, as a bug that needs time to show would."""
    time.sleep(seconds)
    print("fatal: internal state is corrupt", file=sys.stderr)
    os._exit(3)


def leak() -> None:
    """Hoard memory up to a limit of our own, so that the host is never harmed, then die of it."""
    resource.setrlimit(resource.RLIMIT_AS, (LEAK_LIMIT, LEAK_LIMIT))
    hoard = []
    try:
        while True:
            hoard.append(bytearray(LEAK_STEP))
            time.sleep(LEAK_PAUSE)
    except MemoryError:
        os.write(2, b"fatal: out of memory\n")
        os._exit(4)


if __name__ == "__main__":
    main()
