"""What was asked of the platform and what its machines did: every call, nothing lost."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class Record:
    """
    An append-only file of JSON lines, numbered from 1.

    An entry is with the operating system before the call it describes is answered. The
    cloud's own state is memory only, so a new cloud begins a new file and keeps the old one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._offsets: list[int] = []
        if path.exists():
            ended = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            path.rename(path.with_name(f"record-until-{ended:%Y%m%dT%H%M%S%f}.jsonl"))
        self._file = path.open("ab")

    def append(self, kind: str, **fields: object) -> int:
        """Write one entry and return its number; `kind` is call, machine, image, database, fault or error."""
        with self._lock:
            number = len(self._offsets) + 1
            entry = {"seq": number, "time": datetime.now(UTC).isoformat(), "kind": kind, **fields}
            self._offsets.append(self._file.tell())
            self._file.write(json.dumps(entry, default=str).encode() + b"\n")
            self._file.flush()
            return number

    def since(self, number: int = 0) -> list[Entry]:
        """Every entry whose number is greater than the given one."""
        with self._lock:
            if number >= len(self._offsets):
                return []
            start = self._offsets[max(number, 0)]
        with self.path.open("rb") as lines:
            lines.seek(start)
            return [json.loads(line) for line in lines if line.endswith(b"\n")]

    def close(self) -> None:
        with self._lock:
            self._file.close()
