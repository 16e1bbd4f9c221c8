"""Faults on demand: seeded, counted, listed and cleared."""

from __future__ import annotations

import itertools
import random
import threading
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Literal

from steadfleet_local_cloud.calls import Call
from steadfleet_local_cloud.errors import FaultError
from steadfleet_local_cloud.machines import Boot


class Kind(StrEnum):
    """
    What goes wrong.

    Four kinds meet calls, two boots, one a whole zone, two copies, three databases, one the resolver.
    """

    THROTTLE = "throttle"
    ERROR = "error"
    LOST = "lost"  # the call takes effect, its answer never arrives
    HOLD = "hold"  # the call waits, before or after its effect, until it is released
    SLOW_BOOT = "slow-boot"
    FAILED_BOOT = "failed-boot"
    DARK_ZONE = "dark-zone"
    SLOW_COPY = "slow-copy"
    TAMPERED_COPY = "tampered-copy"
    STALE_REPLICA = "stale-replica"  # a read replica hears nothing more of its source
    FAILED_DELETE = "failed-delete"  # a DB instance cannot be deleted yet
    SLOW_RESTORE = "slow-restore"
    DARK_RESOLVER = "dark-resolver"  # no question is answered


CALL_FAULTS = frozenset({Kind.THROTTLE, Kind.ERROR, Kind.LOST, Kind.HOLD})
BOOT_FAULTS = frozenset({Kind.SLOW_BOOT, Kind.FAILED_BOOT})
COPY_FAULTS = frozenset({Kind.SLOW_COPY, Kind.TAMPERED_COPY})
Release = Literal["continue", "drop"]
_DEFAULT_SLOW_SECONDS = 10.0
_OPTIONS = {
    *("action", "region", "zone", "image", "database"),
    *("count", "probability", "after", "seconds", "when", "seed"),
}


@dataclass(frozen=True)
class Copying:
    """How the copy of an image goes: soon and well, unless a fault says otherwise."""

    delay: timedelta = timedelta()
    tampered: bool = False


@dataclass(frozen=True)
class Held:
    """A call that waits at a hold fault."""

    call: Call
    released: threading.Event = field(default_factory=threading.Event)
    verdict: list[Release] = field(default_factory=list)

    def wait(self) -> Release:
        self.released.wait()
        return self.verdict[0]

    def release(self, verdict: Release) -> None:
        self.verdict.append(verdict)
        self.released.set()


@dataclass
class Fault:
    """
    One fault and when it strikes.

    `after` matching events pass untouched; then each is struck, at most `count` times, and
    with `probability` by the fault's own seeded dice, thrown once for every event.
    """

    id: str
    kind: Kind
    action: str = "*"
    region: str = "*"
    zone: str = "*"
    image: str = "*"
    database: str = "*"
    count: int | None = None
    probability: float = 1.0
    after: int = 0
    seconds: float = _DEFAULT_SLOW_SECONDS
    when: Literal["before", "after"] = "before"
    seed: int = 0
    matched: int = 0
    struck: int = 0
    held: list[Held] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311 - repeatable on purpose

    def strikes(self) -> bool:
        """Count one matching event and say whether it is struck."""
        self.matched += 1
        lucky = self._dice.random() >= self.probability
        if self.matched <= self.after or lucky or (self.count is not None and self.struck >= self.count):
            return False
        self.struck += 1
        return True

    def describe(self) -> dict[str, Any]:
        shown = {name.name: getattr(self, name.name) for name in fields(self) if name.name != "held"}
        waiting = [{"action": held.call.action, "parameters": held.call.parameters} for held in self.held]
        return shown | {"holding": waiting}


class Faults:
    """All faults of one cloud; safe to use from many threads."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._ids = itertools.count(1)
        self._lock = threading.Condition()
        self._faults: dict[str, Fault] = {}

    def add(self, kind: str, **options: Any) -> Fault:
        """Begin a fault: `add("throttle", action="RunInstances", count=2)`."""
        if unknown := set(options) - _OPTIONS:
            raise FaultError(f"a fault has no {sorted(unknown)}; it has {sorted(_OPTIONS)}")
        number = next(self._ids)
        try:
            fault = Fault(
                id=f"fault-{number}", kind=Kind(kind), **{"seed": self._seed * 1000 + number} | options
            )
        except (TypeError, ValueError) as error:
            known = ", ".join(Kind)
            raise FaultError(f"no such fault: {error}; the kinds are {known}") from error
        _check(fault)
        with self._lock:
            self._faults[fault.id] = fault
        return fault

    def all(self) -> list[dict[str, Any]]:
        with self._lock:
            return [fault.describe() for fault in self._faults.values()]

    def get(self, fault_id: str) -> Fault:
        with self._lock:
            if fault_id not in self._faults:
                raise FaultError(f"there is no fault {fault_id!r}: `fault list` shows those there are")
            return self._faults[fault_id]

    def clear(self, fault_id: str | None = None) -> list[Fault]:
        """End one fault, or all; calls that it holds go on."""
        with self._lock:
            gone = [self.get(fault_id)] if fault_id else list(self._faults.values())
            for fault in gone:
                del self._faults[fault.id]
        for fault in gone:
            self._let_go(fault, "continue")
        return gone

    def release(self, fault_id: str, then: Release = "continue") -> int:
        """
        Let the calls that a fault holds now go on; how many there were.

        `drop` cuts their connections instead, and a call held before its effect never has one:
        that is how a test kills a worker *before* a call.
        """
        return self._let_go(self.get(fault_id), then)

    def await_held(self, fault_id: str, time_limit: timedelta = timedelta(seconds=30)) -> dict[str, Any]:
        """Wait until the fault holds a call, and return that call's parameters."""
        fault = self.get(fault_id)
        with self._lock:
            if not self._lock.wait_for(lambda: fault.held, time_limit.total_seconds()):
                raise FaultError(f"{fault_id} held no call within {time_limit}")
            return dict(fault.held[0].call.parameters)

    def strike_call(self, call: Call) -> list[Fault]:
        """Count a call against every fault that matches it; those that strike."""
        with self._lock:
            return [
                fault
                for fault in self._faults.values()
                if fault.kind in CALL_FAULTS
                and fnmatchcase(call.action, fault.action)
                and fnmatchcase(call.region, fault.region)
                and fault.strikes()
            ]

    def strike_boot(self, zone: str, image_id: str) -> Boot:
        """How the next boot in this zone from this image goes."""
        with self._lock:
            struck = [
                fault
                for fault in self._faults.values()
                if fault.kind in BOOT_FAULTS
                and fnmatchcase(zone, fault.zone)
                and fnmatchcase(image_id, fault.image)
                and fault.strikes()
            ]
        slow = [fault.seconds for fault in struck if fault.kind is Kind.SLOW_BOOT]
        return Boot(
            delay=timedelta(seconds=max(slow, default=0.0)),
            fails=any(fault.kind is Kind.FAILED_BOOT for fault in struck),
        )

    def strike_copy(self, region: str, image_id: str) -> Copying:
        """How the next copy of this image into this region goes."""
        with self._lock:
            struck = [
                fault
                for fault in self._faults.values()
                if fault.kind in COPY_FAULTS
                and fnmatchcase(region, fault.region)
                and fnmatchcase(image_id, fault.image)
                and fault.strikes()
            ]
        slow = [fault.seconds for fault in struck if fault.kind is Kind.SLOW_COPY]
        return Copying(
            delay=timedelta(seconds=max(slow, default=0.0)),
            tampered=any(fault.kind is Kind.TAMPERED_COPY for fault in struck),
        )

    def strike_question(self) -> bool:
        """Whether the resolver stays silent at the next question."""
        with self._lock:
            struck = [one.strikes() for one in self._faults.values() if one.kind is Kind.DARK_RESOLVER]
            return any(struck)

    def strike_database(self, kind: Kind, region: str, name: str) -> timedelta | None:
        """Whether this happens to a DB instance now; if so, how long it takes."""
        with self._lock:
            struck = [fault for fault in self._about(kind, region, name) if fault.strikes()]
        return timedelta(seconds=max(fault.seconds for fault in struck)) if struck else None

    def is_stale(self, region: str, name: str) -> bool:
        with self._lock:
            return bool(self._about(Kind.STALE_REPLICA, region, name))

    def _about(self, kind: Kind, region: str, name: str) -> list[Fault]:
        return [
            fault
            for fault in self._faults.values()
            if fault.kind is kind and fnmatchcase(region, fault.region) and fnmatchcase(name, fault.database)
        ]

    def is_dark(self, zone: str) -> bool:
        with self._lock:
            return any(
                fault.kind is Kind.DARK_ZONE and fnmatchcase(zone, fault.zone)
                for fault in self._faults.values()
            )

    def hold(self, fault: Fault, call: Call) -> Release:
        """Block the calling thread until the fault is released or cleared."""
        held = Held(call)
        with self._lock:
            if fault.id not in self._faults:
                return "continue"
            fault.held.append(held)
            self._lock.notify_all()
        return held.wait()

    def close(self) -> None:
        with self._lock:
            faults = list(self._faults.values())
            self._faults.clear()
        for fault in faults:
            self._let_go(fault, "drop")

    def _let_go(self, fault: Fault, then: Release) -> int:
        with self._lock:
            held, fault.held = fault.held, []
        for one in held:
            one.release(then)
        return len(held)


def _check(fault: Fault) -> None:
    if not 0.0 <= fault.probability <= 1.0:
        raise FaultError(f"probability {fault.probability} is not between 0 and 1")
    if fault.when not in ("before", "after"):
        raise FaultError(f"a call is held before or after its effect, not {fault.when!r}")
    if fault.kind is Kind.DARK_ZONE and fault.zone == "*":
        raise FaultError("dark-zone needs its zone, for example zone=eu-west-1a")
