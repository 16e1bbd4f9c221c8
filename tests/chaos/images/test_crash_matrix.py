"""The builder dies before and after every call that changes something; one image a region comes of it."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from chaos.images.stage import AWAY, HOME, staged
from chaos.moments import caller_of
from chaos.stage import WHEN, Crashes, nudge

from steadfleet_core.image.report import ImageState
from steadfleet_local_cloud.calls import Call
from steadfleet_local_cloud.faults import Fault, Kind

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(3000)]

WITHIN = timedelta(minutes=45)
EXPECTED = {
    "builder": {
        "AuthorizeSecurityGroupIngress",
        "CopyImage",
        "CreateSecurityGroup",
        "CreateTags",
        "DeleteKeyPair",
        "DeleteSecurityGroup",
        "DeleteTags",
        "DeregisterImage",
        "ImportKeyPair",
        "PutObject",
        "RunInstances",
        "TerminateInstances",
    },
    "packer": {"CreateImage", "CreateTags", "RunInstances", "StopInstances", "TerminateInstances"},
}
"""What a build changes by, and what is changed to undo a half of it."""


@dataclass
class BuildCrashes(Crashes):
    """Of the builder's own calls and of its packer's: packer is told to end when its builder dies."""

    captured: bool = False
    """Whether the packer that is at work has its image."""
    names: dict[str, str] = field(default_factory=dict)
    """The name of the group, or the key, by the id that stands for it later."""

    def _strike(self, call: Call) -> list[Fault]:
        if not call.mutating or caller_of(call) not in EXPECTED:
            return []
        if caller_of(call) == "packer" and call.action in {"RunInstances", "CreateImage"}:
            self.captured = call.action == "CreateImage"
        key = self.key_of(call)
        with self.lock:
            for when in WHEN:
                if (when, key) not in self.seen:
                    self.seen.add((when, key))
                    self.points.append(f"{when} {key}")
                    return [Fault(id=f"crash-{len(self.points)}", kind=Kind.HOLD, when=when)]
        return []

    def key_of(self, call: Call) -> str:
        """Name a call by who makes it, where, and what it is about: ids are new in every try."""
        said = {name: str(value) for name, value in call.parameters.items()}
        known = self._named()
        names = [value for name, value in said.items() if name in {"GroupName", "KeyName", "Key"}]
        names += [known[value] for value in said.values() if value in known]
        tags = sorted(value for name, value in said.items() if re.fullmatch(r"Tag\.\d+\.Key", name))
        kinds = sorted(
            {match[1] for value in said.values() if (match := re.match(r"(ami|snap|i|vol)-", value))}
        )
        about = [*dict.fromkeys(_role(name) for name in names), *kinds, *tags]
        # Packer ends its machine twice over: when it has its image, and when it is stopped before.
        late = ["with its image"] if caller_of(call) == "packer" and self.captured else []
        return " ".join([caller_of(call), call.region, call.action, *about, *late])

    def _named(self) -> dict[str, str]:
        """Tell the machine that is built on from the one that is tried: they have names only at first."""
        for entry in self.cloud.record():
            if entry.get("action") in {"CreateSecurityGroup", "RunInstances"}:
                asked = entry["parameters"]
                made = [one for one in entry["resources"] if one.startswith(("i-", "sg-"))]
                name = str(asked.get("GroupName") or asked.get("KeyName"))
                self.names |= {one: name for one in made if one not in self.names}
        return self.names


def _role(name: str) -> str:
    folder, slash, _ = name.partition("/")
    if slash:
        return folder
    return "of the trial" if name.endswith("-examine") else "of the build"


async def test_builder_killed_before_and_after_every_change_publishes_one_image_a_region(
    record_property: Callable[[str, object], None],
) -> None:
    async with staged(client_tokens=False) as stage:
        builder = stage.workers["builder"]
        crashes = BuildCrashes(stage.cloud, builder.kill)
        crashes.install()
        nudging = asyncio.create_task(nudge(stage.client))
        try:
            building = await stage.start(gate="none")
            state = await building.ended(WITHIN)
        finally:
            nudging.cancel()
        lease = await stage.lease_of(building)

        record_property("points", len(crashes.points))
        assert state is ImageState.PUBLISHED, crashes.points
        assert {region: len(ids) for region, ids in stage.released(building).items()} == {HOME: 1, AWAY: 1}
        assert await stage.residue(stage.keep(building)) == (), crashes.points
        assert lease.removed == ()
        assert builder.kills == len(crashes.points)
        for when in WHEN:
            for caller, actions in EXPECTED.items():
                met = {point.split()[3] for point in crashes.points if point.startswith(f"{when} {caller}")}
                assert met >= actions, f"never killed {when} {actions - met}"
