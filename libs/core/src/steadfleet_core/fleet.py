"""Hosts, the groups that hold them, and what became of each."""

from enum import StrEnum

from steadfleet_core.model import Model


class Image(Model):
    """An exact image; `name` is for people."""

    id: str
    name: str = ""


class Before(Model):
    """What a host ran when the plan was frozen: nothing in it floats."""

    image_id: str
    template_id: str
    template_version: int


class Host(Model):
    """One machine in scope, known by its instance id at the freeze for the whole campaign."""

    id: str
    group: str
    zone: str
    before: Before


class Group(Model):
    """An Auto Scaling group when the plan was frozen; `floating` names what a rollback could not trust."""

    name: str
    template_id: str
    template_version: int
    minimum: int
    desired: int
    maximum: int
    floating: tuple[str, ...] = ()


class HostState(StrEnum):
    """One letter each, so that a shard of 500 hosts is a text of 500 characters."""

    UNTOUCHED = "."
    IN_FLIGHT = ">"
    CHANGED = "c"
    FAILED = "f"
    RESTORED = "r"
    GONE = "g"
    """Left its group after the freeze, by a scale-in or a person's hand: nothing to change any more."""
    LOST = "l"
    """Neither changed nor restored: a person must look."""


class HostOutcome(Model):
    """How a change or a restore of one host ended. `instance` serves in its place now."""

    host: str
    state: HostState
    instance: str = ""
    reason: str = ""


class HostFailure(Model):
    """A failed host as people see it; `restored` says whether its *before* serves again, verified."""

    host: str
    zone: str
    wave: int
    reason: str
    restored: bool = False
