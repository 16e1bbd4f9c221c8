"""Whatever moto keeps, read without knowing what it is, so that nothing that somebody made stays unseen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.base_backend import AccountSpecificBackend, BackendDict, BaseBackend

from steadfleet_local_cloud.patches import Patches

Path = tuple[str, ...]  # the service, the region, the attribute and the keys that lead to a thing
_DEPTH = 4  # attribute, and at most three keys: subnets lie by zone and id


@dataclass(frozen=True)
class Beginning:
    """What one backend began with."""

    began: Mapping[Path, tuple[object, ...]]
    where: Path

    def had(self, *path: str) -> bool:
        return (*self.where, *path) in self.began

    def had_so(self, thing: object, *path: str) -> bool:
        """Whether the thing was there, and as much hung on it as now."""
        return self.began.get((*self.where, *path)) == fingerprint(thing)


class Baseline:
    """
    What each backend held when moto made it: AWS's own things, such as a region's default VPC.

    A backend is made when its region is first looked at, so what it begins with differs between two
    moments although nobody made it. What was changed in it since is somebody's.
    """

    def __init__(self, patches: Patches) -> None:
        self._began: dict[Path, tuple[object, ...]] = {}
        patches.wrap(AccountSpecificBackend, "__getitem__", self._open)

    def of(self, service: str, region: str) -> Beginning:
        return Beginning(self._began, (service, region))

    def _open(self, original: Any, backends: Any, region: str) -> Any:
        known = set(backends.keys())
        backend = original(backends, region)
        for name in set(backends.keys()) - known:
            self._began |= {
                (backends.service_name, name, *path): fingerprint(thing) for path, thing in things(backend)
            }
        return backend


def open_backends() -> Iterator[tuple[str, str, Any]]:
    """Name every backend in use by service and region, in the order of these; other accounts' are marked."""
    found = [
        (backends.service_name, region, account, backend)
        for by_account in vars(BackendDict)["_instances"]  # moto keeps no public list
        for account, backends in by_account.items()
        for region, backend in backends.items()
    ]
    for service, region, _account, backend in sorted(found, key=lambda one: one[:3]):
        yield service, region, backend


def things(backend: BaseBackend) -> Iterator[tuple[Path, object]]:
    """Walk the tables of a backend: the attribute and keys that lead to each thing, and the thing."""
    for name, value in vars(backend).items():
        yield from _walk((name,), value)


def fingerprint(thing: object) -> tuple[object, ...]:
    """How much hangs on a thing: the rules of a group, the routes of a table."""
    if isinstance(thing, str | int | float | bool | None):
        return (thing,)
    attributes = getattr(thing, "__dict__", {})
    return tuple(
        (name, len(value))
        for name, value in sorted(attributes.items())
        if isinstance(value, dict | list | set)
    )


def _walk(path: Path, value: object) -> Iterator[tuple[Path, object]]:
    if isinstance(value, dict):
        pairs = [(str(key), one) for key, one in dict.items(value)]
    elif isinstance(value, list | set | tuple):
        pairs = [(_name(one, place), one) for place, one in enumerate(value)]
    else:
        return
    for key, one in pairs:
        below = (*path, key)
        if isinstance(one, dict | list | set | tuple) and len(below) < _DEPTH:
            yield from _walk(below, one)
        else:
            yield below, one


def _name(thing: object, place: int) -> str:
    if isinstance(thing, str):
        return thing
    names = (getattr(thing, name, None) for name in ("id", "arn", "name", "allocation_id"))
    return next((str(name) for name in names if name), str(place))
