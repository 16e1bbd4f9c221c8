"""What a run said, for people: on disk as it is said, its beginning and its end, whatever its length."""

import os
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

MOST_BYTES = 16 << 20


class Log:
    """
    A file of at most about `most_bytes`: the first half as it comes, the last half when it is closed.

    What went wrong stands at the end, and what was asked for at the beginning.
    """

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self._file = path.open("xb", buffering=0)
        self._room = self._tail_room = most_bytes // 2
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._dropped = 0

    def write(self, line: str) -> None:
        data = line.encode("utf-8", "replace")[: self._tail_room - 1] + b"\n"
        if not self._tail and len(data) <= self._room:
            self._file.write(data)
            self._room -= len(data)
            return
        self._tail.append(data)
        self._tail_bytes += len(data)
        while self._tail_bytes > self._tail_room:
            self._dropped += 1
            self._tail_bytes -= len(self._tail.popleft())

    def close(self) -> None:
        """Write the end, and return when all of it is on the disk."""
        with self._file:
            if self._dropped:
                self._file.write(f"… {self._dropped} lines are left out here …\n".encode())
            self._file.write(b"".join(self._tail))
            os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _tb: TracebackType | None) -> None:
        self.close()
