"""What somebody left behind: everything that there is before and after, compared.

Looking is done here and nowhere else; the comparison is pure, so drills can use it on holdings of their
own. An empty answer is the only good one: what may stay is named beforehand, with its reason.
"""

import asyncio
import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus

from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.ownership import OWNER_LABEL, Owner

Facts = Mapping[str, Any]
Holdings = Mapping[str, Mapping[str, Facts]]
"""All things by kind and id, each with what can be told of it."""

RUN_LABEL = "steadfleet:run"
_LISTS = {
    "containers": ("ps", "--all", "--no-trunc"),
    "docker_images": ("images", "--no-trunc"),
    "docker_networks": ("network", "ls", "--no-trunc"),
    "docker_volumes": ("volume", "ls"),
}
# Told as things of their own.
_UNTOLD = {"buckets": {"keys"}}


@dataclass(frozen=True)
class Kept:
    """New things of one kind that may stay: those whose id matches the whole pattern, and why."""

    kind: str
    pattern: str
    why: str

    def covers(self, kind: str, thing: str) -> bool:
        return kind == self.kind and re.fullmatch(self.pattern, thing) is not None


STORED = (
    Kept("objects", r"[a-z0-9-]+/sources/[0-9a-f]{64}\.tar\.gz", "what was ordered is kept by digest"),
    Kept("objects", r"[a-z0-9-]+/logs/[0-9a-f]{64}\.log", "it says why a build failed"),
    Kept("objects", r"[a-z0-9-]+/tests/[0-9a-f]{64}\.json", "it says what was found on the machine"),
    Kept("objects", r"[a-z0-9-]+/sboms/[0-9a-f]{64}\.json", "it says what was in the image"),
)
"""What a build leaves by intent, however it ends: documents, written once, under their own digest."""


def residue(before: Holdings, after: Holdings, kept: Iterable[Kept] = STORED) -> tuple[str, ...]:
    """Name whatever is new, gone or changed, a sentence each; what is `kept` may be new, and no more."""
    allowed = tuple(kept)
    return tuple(
        sentence
        for kind in sorted({*before, *after})
        for sentence in _differences(kind, before.get(kind, {}), after.get(kind, {}), allowed)
    )


def _differences(
    kind: str, before: Mapping[str, Facts], after: Mapping[str, Facts], kept: tuple[Kept, ...]
) -> Iterator[str]:
    for thing, facts in after.items():
        if thing not in before:
            if not any(one.covers(kind, thing) for one in kept):
                yield f"{_named(kind, thing, facts)} is new"
        elif changes := _changes(before[thing], facts):
            yield f"{_named(kind, thing, facts)} changed: {changes}"
    for thing, facts in before.items():
        if thing not in after:
            yield f"{_named(kind, thing, facts)} is gone"


def _named(kind: str, thing: str, facts: Facts) -> str:
    name = facts.get("name") or facts.get("description")
    named = f" ({name})" if name else ""
    where = f" in {facts['region']}" if facts.get("region") else ""
    return f"{kind} {thing}{named}{where}"


def _changes(before: Facts, after: Facts) -> str:
    return ", ".join(
        f"{fact} was {before.get(fact)}, is {after.get(fact)}"
        for fact in sorted({*before, *after})
        if before.get(fact) != after.get(fact)
    )


# -- looking


@dataclass(frozen=True)
class Grounds:
    """Everywhere that something can be left: the cloud, the engine, folders, their processes, Temporal.

    In the engine it is what this process's local cloud made, and what carries a run's label that
    matches `runs`: others may use the engine too. `folders` are those that workers write to.
    """

    cloud: LocalCloud
    client: Client | None = None
    folders: tuple[Path, ...] = ()
    docker: bool = False
    runs: str = "*"

    async def holdings(self) -> Holdings:
        held = await asyncio.to_thread(self._held)
        if self.client is not None:
            held["workflows"] = await open_workflows(self.client)
        return held

    def _held(self) -> dict[str, Mapping[str, Facts]]:
        held: dict[str, Mapping[str, Facts]] = {
            kind: _by_id(kind, items) for kind, items in self.cloud.inventory().items()
        }
        if self.docker:
            held |= {kind: dict(_of_engine(kind, self.runs)) for kind in _LISTS}
        if self.folders:
            held["files"] = {path: {} for folder in self.folders for path in _files(folder)}
            held["processes"] = processes_of(self.folders)
        return held


def _by_id(kind: str, items: Iterable[Facts]) -> dict[str, Facts]:
    # Ids are single in a region, names are not: two regions may have the same alias or parameter.
    seen = Counter(item["id"] for item in items)
    return {
        str(item["id"]) if seen[item["id"]] == 1 else f"{item['region']}/{item['id']}": _told(kind, item)
        for item in items
    }


def _told(kind: str, item: Facts) -> Facts:
    return {fact: value for fact, value in item.items() if fact not in _UNTOLD.get(kind, ())}


def _of_engine(kind: str, runs: str) -> Iterator[tuple[str, Facts]]:
    for label, wanted in ((f"{OWNER_LABEL}={Owner.current().label}", None), (RUN_LABEL, runs)):
        for line in _docker(*_LISTS[kind], f"--filter=label={label}", "--format={{json .}}").splitlines():
            item = json.loads(line)
            thing = _identity(item)
            if wanted is None or fnmatchcase(_label(thing), wanted):
                yield thing, {"name": item.get("Names", item.get("Name", "")), "id": item.get("ID", "")}


def _identity(item: Facts) -> str:
    if "Repository" in item and item["Repository"] != "<none>":
        return f"{item['Repository']}:{item['Tag']}"
    return str(item.get("ID") or item["Name"])


def _label(thing: str) -> str:
    """Return the run that a thing is labelled with: listings do not tell of every kind."""
    described: Facts = next(iter(json.loads(_docker("inspect", thing) or "[]")), {})
    labels = described.get("Labels") or (described.get("Config") or {}).get("Labels") or {}
    return str(labels.get(RUN_LABEL, ""))


def _docker(*words: str) -> str:
    # Without a check: what is listed may be gone when it is asked for.
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False).stdout


def _files(folder: Path) -> Iterator[str]:
    for path, folders, files in os.walk(folder):
        yield from (str(Path(path) / name) for name in (*folders, *files))


def processes_of(folders: Iterable[Path]) -> dict[str, Facts]:
    """Count the programs whose home lies in one of the folders: packer, its keeper and its plugins."""
    homes = [f"HOME={folder}/".encode() for folder in folders]
    found = Counter(
        name
        for entry in os.scandir("/proc")
        if entry.name.isdigit() and (name := _program_at_home(Path(entry.path), homes))
    )
    return {name: {"count": count} for name, count in found.items()}


def _program_at_home(process: Path, homes: list[bytes]) -> str:
    try:
        environment = (process / "environ").read_bytes().split(b"\0")
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:  # another user's, or gone
        return ""
    at_home = any(said.startswith(home) for said in environment for home in homes)
    return " ".join(Path(word).name for word in words[:4]) if at_home else ""


async def open_workflows(client: Client) -> dict[str, Facts]:
    """List what Temporal holds open, and ask each: the list itself lags behind."""
    found: dict[str, Facts] = {}
    async for listed in client.list_workflows('ExecutionStatus="Running"'):
        described = await client.get_workflow_handle(listed.id, run_id=listed.run_id).describe()
        if described.status is WorkflowExecutionStatus.RUNNING:
            found[listed.id] = {"type": described.workflow_type}
    return found
