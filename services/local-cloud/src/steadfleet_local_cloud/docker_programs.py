"""Hear of every machine's program that it ended, from one stream of the engine's events."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import threading
import time
from collections.abc import Callable
from typing import IO, Any, cast

from steadfleet_local_cloud.engine import Engine
from steadfleet_local_cloud.ownership import CLOUD_LABEL, Ownership

_log = logging.getLogger(__name__)
_PROGRAM = re.compile(r"program (?P<boot>[0-9a-f-]{36})$")
# ends with the server, however that ends: then its stdin does
_UNTIL_STDIN_ENDS = '"$@" & exec >&-; read -r _; kill $!'
_CREATED, _DIED = "exec_create", "exec_die"


class ProgramWatch:
    """
    Tell `ended` of each program's exit code, by the boot that started it.

    The engine names a program's start by its command, whose last word is the boot's id, and its
    end by a number only: so both are heard.
    """

    def __init__(self, engine: Engine, ownership: Ownership, ended: Callable[[str, int], None]) -> None:
        self._ended = ended
        self._closing = False
        self._boots: dict[str, str] = {}  # by the engine's id of what it executes
        filters = [f"label={CLOUD_LABEL}={ownership.cloud}", f"event={_CREATED}", f"event={_DIED}"]
        self._process = subprocess.Popen(  # noqa: S603 - the user's own docker
            [
                *("/bin/sh", "-c", _UNTIL_STDIN_ENDS, "events"),
                *(engine.program, "events"),
                f"--since={time.time():.3f}",
                "--format={{json .}}",
                *(f"--filter={one}" for one in filters),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C at the server's terminal is for the server alone
        )
        self._stdout = cast("IO[bytes]", self._process.stdout)
        self._thread = threading.Thread(target=self._read, name="programs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        cast("IO[bytes]", self._process.stdin).close()
        self._process.wait()
        self._thread.join()
        self._stdout.close()

    def _read(self) -> None:
        for line in self._stdout:
            try:
                self._hear(json.loads(line))
            except Exception:  # noqa: BLE001 - the next event may be understood
                _log.exception("an event of the Docker engine was not understood: %s", line)
        if not self._closing:
            _log.error("the Docker engine's events ended: programs that exit are not noticed any more")

    def _hear(self, event: dict[str, Any]) -> None:
        attributes = event["Actor"]["Attributes"]
        execution = attributes["execID"]
        if event["Action"].startswith(_CREATED):
            if found := _PROGRAM.search(event["Action"].strip()):
                self._boots[execution] = found["boot"]
        elif boot_id := self._boots.pop(execution, None):
            self._ended(boot_id, int(attributes["exitCode"]))
