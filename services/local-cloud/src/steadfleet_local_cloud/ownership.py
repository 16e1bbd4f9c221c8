"""Whose a container, network or image is: labels that tell of a server, and whether it still lives."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path

CLOUD_LABEL = "local-cloud"
OWNER_LABEL = "local-cloud.owner"
_STARTED = 22 - 4  # proc(5) counts the fields of /proc/<pid>/stat from 1; ours begin after name and state


@dataclass(frozen=True)
class Owner:
    """
    A server process, told apart from every other that there was.

    Process ids come round, so the start time is part of it; they mean something in one
    namespace of one machine since its last start only, so these are part of it too.
    """

    machine: str
    namespace: str
    uptime: str
    pid: int
    started: str

    @classmethod
    def current(cls) -> Owner:
        return cls(_machine(), _namespace(), _uptime(), os.getpid(), _start_time(os.getpid()) or "")

    @classmethod
    def read(cls, label: str) -> Owner | None:
        """Read a label; None if it is none of ours."""
        parts = label.split("/")
        if len(parts) != len(cls.__dataclass_fields__) or not parts[3].isdigit():
            return None
        machine, namespace, uptime, pid, started = parts
        return cls(machine, namespace, uptime, int(pid), started)

    @property
    def label(self) -> str:
        return f"{self.machine}/{self.namespace}/{self.uptime}/{self.pid}/{self.started}"

    @property
    def dead(self) -> bool:
        """Whether it certainly lives no more: of another machine's or namespace's nobody here can tell."""
        if self.machine != _machine():
            return False
        if self.uptime != _uptime():
            return True
        return self.namespace == _namespace() and _start_time(self.pid) != self.started


@dataclass(frozen=True)
class Ownership:
    """One local cloud's mark on everything that it makes in a Docker engine."""

    cloud: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    owner: Owner = field(default_factory=Owner.current)

    @property
    def labels(self) -> dict[str, str]:
        return {CLOUD_LABEL: self.cloud, OWNER_LABEL: self.owner.label}


def _machine() -> str:
    try:
        return Path("/etc/machine-id").read_text().strip() or "unnamed"
    except OSError:
        return "unnamed"


def _namespace() -> str:
    return str(os.stat("/proc/self/ns/pid").st_ino)  # noqa: PTH116 - a path object would do the same


def _uptime() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start_time(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else fields[_STARTED]
