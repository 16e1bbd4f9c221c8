"""Count what campaigns did from the platform's own record: calls, tags and machine events.

Nothing here reads what Steadfleet says of itself. `before` and `after` are inventories of the
platform around the campaigns, `record` is every call and every machine event in between.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Entry = Mapping[str, Any]
Inventory = Mapping[str, list[dict[str, Any]]]

HOST, CAMPAIGN, ATTEMPT = "steadfleet:host", "steadfleet:campaign", "steadfleet:attempt"
EXPIRES_AT = "steadfleet:expires-at"
_BORN = {"booted", "booting", "boot-failed"}
_ALIVE = {"booted", "started", "rebooted", "revived"}
PREVIOUS_VERSION = "steadfleet:previous-template-version"
"""Stays on a group by intent: where its launch template stood before."""
_GROUP_SETTINGS = ("min_size", "max_size", "desired_capacity", "suspended_processes", "target_groups", "tags")
_NEVER_NEW = (
    *("addresses", "images", "key_pairs", "launch_templates", "load_balancers", "parameters"),
    *("security_groups", "snapshots", "subnets", "target_groups", "vpcs"),
)


@dataclass(frozen=True)
class Receipt:
    """Hosts changed, failed, restored and touched twice; and a sentence for each thing left behind."""

    changed: int
    failed: int
    restored: int
    doubles: tuple[str, ...]
    residue: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"changed {self.changed} · failed {self.failed} · restored {self.restored}"
            f" · touched twice {len(self.doubles)} · left behind {len(self.residue)}"
        )


@dataclass(frozen=True)
class Launch:
    """An instance that somebody asked for, and what its tags said of it in the same call."""

    instance: str
    image: str
    host: str
    campaign: str
    attempt: str


def count_receipt(record: Iterable[Entry], before: Inventory, after: Inventory) -> Receipt:
    entries = list(record)
    launches = {launch.instance: launch for launch in _launches(entries)}
    images = {one["id"]: one["image"] for one in before["instances"]}
    images |= {launch.instance: launch.image for launch in launches.values()}
    serving: dict[str, list[str]] = defaultdict(list)
    for instance in _serving(entries, before, after):
        serving[_place(instance, launches)].append(instance)

    def serves(host: str, image: str) -> bool:
        return image in (images.get(instance) for instance in serving[_place(host, launches)])

    failed = set(_failed(launches, serving))
    return Receipt(
        changed=sum(
            any(images.get(one) != images.get(place) for one in serving[place]) for place in list(serving)
        ),
        failed=len(failed),
        restored=sum(serves(host, images.get(host, "")) for _, host in failed),
        doubles=tuple(_doubles(entries, launches, serving, before)),
        residue=tuple(_residue(entries, before, after)),
    )


def _launches(entries: list[Entry]) -> Iterator[Launch]:
    """Ascribe each machine to the first launch whose answer names it: later ones name it in tags only."""
    ascribed: set[str] = set()
    booted = {one["instance"]: one["image"] for one in _machine_events(entries) if one["event"] in _BORN}
    for call in _calls(entries, "RunInstances"):
        tags = _tags(call["parameters"])
        for instance in (one for one in call["resources"] if one in booted and one not in ascribed):
            ascribed.add(instance)
            marks = (tags.get(name, "") for name in (HOST, CAMPAIGN, ATTEMPT))
            yield Launch(instance, booted[instance], *marks)


def _tags(asked: Mapping[str, str]) -> dict[str, str]:
    keys = {name: value for name, value in asked.items() if re.fullmatch(r"TagSpec.*\.Key", name)}
    return {value: asked.get(f"{name.removesuffix('Key')}Value", "") for name, value in keys.items()}


def _calls(entries: list[Entry], action: str) -> Iterator[Entry]:
    done = (one for one in entries if one["kind"] == "call" and one["action"] == action)
    return (one for one in done if one["status"] is not None and one["status"] < 300)  # noqa: PLR2004


def _machine_events(entries: list[Entry]) -> Iterator[Entry]:
    return (one for one in entries if one["kind"] == "machine")


def _serving(entries: list[Entry], before: Inventory, after: Inventory) -> Iterator[str]:
    """Members that are in service, and whose machine was alive when last heard of."""
    last = dict.fromkeys(_members(before), "booted")
    last |= {one["instance"]: one["event"] for one in _machine_events(entries)}
    for instance, member in _members(after).items():
        if member["state"] == "InService" and last.get(instance) in _ALIVE:
            yield instance


def _members(inventory: Inventory) -> dict[str, dict[str, Any]]:
    return {
        instance: member
        for group in inventory["auto_scaling_groups"]
        for instance, member in group["members"].items()
    }


def _place(instance: str, launches: Mapping[str, Launch]) -> str:
    """Follow replacements back to the host that stood there first."""
    seen = {instance}
    while (launch := launches.get(instance)) and launch.host and launch.host not in seen:
        instance = launch.host
        seen.add(instance)
    return instance


def _failed(launches: Mapping[str, Launch], serving: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Hosts whose replacement neither serves nor was ever taken for a host by a later campaign."""
    taken = {instance for instances in serving.values() for instance in instances}
    taken |= {launch.host for launch in launches.values()}
    for launch in launches.values():
        if launch.instance not in taken:
            yield launch.campaign, launch.host


def _doubles(
    entries: list[Entry],
    launches: Mapping[str, Launch],
    serving: Mapping[str, list[str]],
    before: Inventory,
) -> Iterator[str]:
    keys = ((one.campaign, one.host, one.image, one.attempt) for one in launches.values())
    for (campaign, host, image, _), count in Counter(keys).items():
        if count > 1:
            yield f"{campaign or 'nobody'} launched {image} for {host or 'no host'} {count} times"
    for place, instances in serving.items():
        if len(instances) > 1:
            yield f"{' and '.join(instances)} both serve in place of {place}"
    known = {one["id"] for one in before["instances"]} | set(launches)
    for event in _machine_events(entries):
        if event["event"] == "booted" and event["instance"] not in known:
            yield f"{event['instance']} was launched by no call: a group refilled itself"


def _residue(entries: list[Entry], before: Inventory, after: Inventory) -> Iterator[str]:
    members = _members(after)
    instances = {one["id"]: one for one in after["instances"]}
    for instance, facts in instances.items():
        if instance not in members:
            yield f"instance {instance} runs outside of every group"
        if EXPIRES_AT in facts["tags"]:
            yield f"instance {instance} still carries {EXPIRES_AT}"
    yield from _machines_without_instance(entries, instances)
    yield from _unattached(after, instances)
    yield from _unlike_before(before, after)
    for kind in _NEVER_NEW:
        known = {one["id"] for one in before.get(kind, [])}
        yield from (f"{kind}: {one['id']}" for one in after.get(kind, []) if one["id"] not in known)
    for group in after.get("target_groups", []):
        yield from (f"{one} is a target and no member" for one in group["targets"] if one not in members)


def _machines_without_instance(entries: list[Entry], instances: Mapping[str, object]) -> Iterator[str]:
    last = {one["instance"]: one["event"] for one in _machine_events(entries)}
    for instance, event in last.items():
        if event in _ALIVE and instance not in instances:
            yield f"machine {instance} runs behind no instance"


def _unattached(after: Inventory, instances: Mapping[str, object]) -> Iterator[str]:
    for volume in after.get("volumes", []):
        if not any(one in instances for one in volume["instances"]):
            yield f"volume {volume['id']} belongs to no instance"
    for interface in after.get("network_interfaces", []):
        if interface["instance"] not in instances:
            yield f"network interface {interface['id']} belongs to no instance"


def _unlike_before(before: Inventory, after: Inventory) -> Iterator[str]:
    """Each group must have its size, its settings and its protections again."""
    groups = {group["id"]: group for group in after["auto_scaling_groups"]}
    for was in before["auto_scaling_groups"]:
        now = groups[was["id"]]
        settings = _settings(was), _settings(now)
        for name in _GROUP_SETTINGS:
            if settings[0][name] != settings[1][name]:
                yield f"group {was['id']}: {name} was {was[name]}, is {now[name]}"
        if len(was["members"]) != len(now["members"]):
            yield f"group {was['id']} had {len(was['members'])} members, has {len(now['members'])}"
        for instance, member in now["members"].items():
            if member["protected"] and not any(one["protected"] for one in was["members"].values()):
                yield f"group {was['id']}: {instance} is still protected from scale-in"


def _settings(group: Mapping[str, Any]) -> dict[str, Any]:
    tags = {key: value for key, value in group["tags"].items() if key != PREVIOUS_VERSION}
    return {**{name: group[name] for name in _GROUP_SETTINGS}, "tags": tags}
