"""The frozen plan: a policy resolved to exact hosts, waves and an exact image, known by its digest."""

from pydantic import Field

from steadfleet_core.campaign.policy import PatchPolicy
from steadfleet_core.fleet import Group, Host, Image
from steadfleet_core.model import Digest, Duration, Model, canonical, digest_of

SHARD = 500
"""Hosts a shard: its wave's history then stays under 10,000 events."""


class CampaignOrder(Model):
    """What starts a campaign.

    `search_attributes` is false where the namespace has none of ours registered: an unknown
    name would block the workflow for ever.
    """

    policy: PatchPolicy
    requested_by: str = Field(min_length=1)
    search_attributes: bool = True

    @property
    def digest(self) -> Digest:
        """Identify what was asked, whoever asked it and wherever the hosts stand by now."""
        return digest_of(canonical(self.policy))


class PlannedWave(Model):
    """A wave of the plan; its hosts lie in `shards`, each stored under its own digest."""

    number: int
    hosts: int
    zones: dict[str, int]
    shards: tuple[Digest, ...]

    @property
    def sizes(self) -> list[int]:
        """Count the hosts of each shard."""
        return [min(SHARD, self.hosts - SHARD * number) for number in range(len(self.shards))]


class Plan(Model):
    """What a campaign will do, and nothing that a later look could answer differently."""

    order: Digest
    platform: str
    fleet: str
    image: Image
    groups: tuple[Group, ...]
    zones: dict[str, int]
    waves: tuple[PlannedWave, ...]

    @property
    def digest(self) -> Digest:
        return digest_of(canonical(self))

    @property
    def hosts(self) -> int:
        return sum(wave.hosts for wave in self.waves)


class Shard(Model):
    """Up to 500 hosts of one wave, in the order in which they are changed."""

    hosts: tuple[Host, ...]

    @property
    def digest(self) -> Digest:
        return digest_of(canonical(self))


class Preview(Model):
    """A plan with what a person needs to judge it. Boundaries and warnings are sentences."""

    plan: Plan
    digest: Digest
    boundaries: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    estimate: Duration


def draw_up(
    order: CampaignOrder, image: Image, groups: tuple[Group, ...], waves: list[tuple[Host, ...]]
) -> tuple[Plan, list[Shard]]:
    """Compose the plan of these waves, and the shards that it names by digest."""
    sharded = [[Shard(hosts=wave[i : i + SHARD]) for i in range(0, len(wave), SHARD)] for wave in waves]
    plan = Plan(
        order=order.digest,
        platform="aws",
        fleet=order.policy.spec.fleet.name,
        image=image,
        groups=groups,
        zones=_count_zones([host for wave in waves for host in wave]),
        waves=tuple(
            PlannedWave(
                number=number,
                hosts=len(wave),
                zones=_count_zones(wave),
                shards=tuple(shard.digest for shard in shards),
            )
            for number, (wave, shards) in enumerate(zip(waves, sharded, strict=True), start=1)
        ),
    )
    return plan, [shard for shards in sharded for shard in shards]


def _count_zones(hosts: tuple[Host, ...] | list[Host]) -> dict[str, int]:
    zones = sorted(host.zone for host in hosts)
    return {zone: zones.count(zone) for zone in dict.fromkeys(zones)}
