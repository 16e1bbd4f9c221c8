"""An adapter is refused when it does not offer what its port promises."""

from abc import ABC, abstractmethod

import pytest
from temporalio import activity

from steadfleet_durable import AdapterError, register


class Fleet(ABC):
    @activity.defn
    @abstractmethod
    async def change_host(self, name: str) -> str: ...

    @activity.defn
    @abstractmethod
    async def restore_host(self, name: str) -> str: ...


class FakeFleet(Fleet):
    @activity.defn
    async def change_host(self, name: str) -> str:
        return f"changed {name}"

    @activity.defn
    async def restore_host(self, name: str) -> str:
        return f"restored {name}"

    async def helper(self) -> None:
        raise NotImplementedError


class LouderFleet(FakeFleet):
    """Overrides one and inherits the other."""

    @activity.defn
    async def change_host(self, name: str) -> str:
        return f"CHANGED {name}"


class Unmarked(FakeFleet):
    async def change_host(self, name: str) -> str:
        return name


class Renamed(FakeFleet):
    @activity.defn(name="patch_host")
    async def change_host(self, name: str) -> str:
        return name


async def test_each_activity_is_found_once_and_bound() -> None:
    activities = register(FakeFleet())
    assert [method.__name__ for method in activities] == ["change_host", "restore_host"]
    assert await activities[0]("web-1") == "changed web-1"


async def test_the_last_override_counts() -> None:
    change, restore = register(LouderFleet())
    assert (await change("a"), await restore("a")) == ("CHANGED a", "restored a")


@pytest.mark.parametrize(
    ("adapter", "said"),
    [
        (Unmarked(), r"Unmarked\.change_host overrides the activity 'change_host' without @activity\.defn"),
        (Renamed(), r"is the activity 'patch_host', and its port calls it 'change_host'"),
        (object(), r"object has no @activity\.defn method"),
    ],
)
def test_a_lost_activity_is_refused(adapter: object, said: str) -> None:
    with pytest.raises(AdapterError, match=said):
        register(adapter)
