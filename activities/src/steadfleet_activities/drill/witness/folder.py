"""The witness's own folder: what it has seen and said outlives its process."""

import fcntl
import json
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

from pydantic import ValidationError

from steadfleet_activities.drill.witness.durable_files import sync_folder, write_durably, write_once
from steadfleet_core.drill.measuring import Sample
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import Model, canonical
from steadfleet_ports.witness import Declared


class _Moment(Model):
    at: datetime


class WitnessFolder:
    """`ledgers/<name>/` and `runs/<run>/`; one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[bytes] | None = None

    @classmethod
    def taken(cls, path: Path) -> Self:
        """Make it if it is missing and take it for this process; raises `RefusedError`."""
        folder = cls(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = (path / "lock").open("wb")
        except OSError as error:
            raise RefusedError(
                f"{path}: {error.strerror}; expected a folder that the witness may write to"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise RefusedError(f"{path} is another witness's: stop it, or name another folder") from error
        folder._lock = lock
        return folder

    def release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def ledger(self, name: str) -> Path:
        return self.path / "ledgers" / name

    def declared_at(self, run: str, now: Callable[[], datetime]) -> datetime:
        """Return when disaster was declared: now, unless it was before."""
        moment = canonical(_Moment(at=now()))
        file = self._run(run) / "declaration.json"
        return _Moment.model_validate_json(write_once(file, moment)).at

    def declared(self, run: str) -> Declared | None:
        """Return what was answered before."""
        file = self._run(run) / "declared.json"
        if not file.exists():
            return None
        try:
            return Declared.model_validate_json(file.read_bytes())
        except ValidationError as error:
            raise RefusedError(f"{file} was changed: {error}; start a new drill") from error

    def keep_declared(self, run: str, declared: Declared) -> None:
        write_durably(self._run(run) / "declared.json", canonical(declared))

    def samples(self, run: str, service: str) -> "SampleFile":
        return SampleFile(self._run(run) / f"samples-{service}.jsonl")

    def _run(self, run: str) -> Path:
        # A run may be named with slashes, and is never a path.
        folder = self.path / "runs" / (quote(run, safe="").replace(".", "%2E") or "-")
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)
        return folder


class SampleFile:
    """Every probe of a service, a line each, fsynced. On a thread: a slow disk delays no probe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="samples")
        self._writing: deque[Future[None]] = deque()

    def append(self, sample: Sample) -> None:
        """Write it soon; raises what became of those before."""
        while self._writing and self._writing[0].done():
            self._writing.popleft().result()
        self._writing.append(self._thread.submit(self._append, sample))

    def close(self) -> None:
        """Wait until all is written; raises `OSError` where it could not be."""
        self._thread.shutdown()
        for one in self._writing:
            one.result()

    def _append(self, sample: Sample) -> None:
        line = json.dumps(sample.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        with self._path.open("ab") as file:
            file.write(f"{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())
