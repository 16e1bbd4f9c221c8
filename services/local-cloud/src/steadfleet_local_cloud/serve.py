"""The server process: log, serve, and end with every machine on a signal."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

from steadfleet_local_cloud.cloud import LocalCloud
from steadfleet_local_cloud.logs import log_to_stderr

_log = logging.getLogger(__name__)


def serve(**settings: Any) -> None:
    """Run until SIGTERM or SIGINT; settings are those of `LocalCloud`."""
    log_to_stderr()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with LocalCloud(**settings):
        stop.wait()
        _log.info("stopping: every machine ends with the local cloud")
