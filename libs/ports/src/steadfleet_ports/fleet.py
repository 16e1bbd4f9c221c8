"""What a campaign may ask of a fleet's platform.

Every method looks before it acts: a retry, a crash or a lost response never doubles an effect.
"""

from abc import ABC, abstractmethod

from temporalio import activity

from steadfleet_core.campaign.plan import CampaignOrder, Plan, Preview, Shard
from steadfleet_core.campaign.policy import HealthChecks, Selector
from steadfleet_core.campaign.report import CampaignReport
from steadfleet_core.campaign.verdict import Sample
from steadfleet_core.fleet import Host, HostOutcome, Image
from steadfleet_core.model import Digest, Model


class Freeze(Model):
    """Resolve an order. Unless `store` is set nothing outlives the answer.

    `probe` asks whether the fleet is healthy now; without it nothing is said of its health.
    """

    order: CampaignOrder
    store: bool
    probe: bool = True


class ShardRef(Model):
    """Names one shard of a stored plan; waves count from 1, shards from 0."""

    plan: Digest
    wave: int
    shard: int


class FleetCheck(Model):
    """Ask whether the plan still holds. `done` hosts may have been replaced by us.

    `signed` demands of the image what prod's trust policy does, in every environment.
    """

    plan: Plan
    checks: HealthChecks
    tolerance: int
    campaign: str
    signed: bool = False


class FleetFindings(Model):
    """`problems` forbid going on; `drift` is reported and left alone."""

    problems: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()


class GroupHold(Model):
    """Make room in the plan's groups for hosts launched beside, and keep their own hands off."""

    plan: Plan
    campaign: str
    run: str
    surge: int


class HostChange(Model):
    """Replace one host by a fresh one from exactly `image`, verified before it serves.

    `campaign` and `run` name what is created; `attempt` grows when a person retries a failed host.
    """

    campaign: str
    run: str
    attempt: int
    wave: int
    host: Host
    image: Image
    checks: HealthChecks


class HostRestore(HostChange):
    """Bring one host back to its *before*, verified, and remove what a change left."""


class Probe(Model):
    """Look once at the hosts of a shard that stand at `indexes`."""

    shard: ShardRef
    indexes: tuple[int, ...]
    campaign: str
    checks: HealthChecks


class ImageAdoption(Model):
    """Move the groups' own launch template to the judged image, in one step, at the very end."""

    plan: Plan
    campaign: str


class KeptReport(Model):
    """A campaign's last word, kept where the engine's retention does not reach."""

    name: str
    run: str
    report: CampaignReport


class FleetQuery(Model):
    """Ask which hosts there are: of a selector, or of all groups that carry the tag `fleet=<name>`."""

    name: str | None = None
    selector: Selector | None = None


class ListedHost(Model):
    """`health` is the platform's own word for its targets, or `unknown`."""

    id: str
    group: str
    zone: str
    image_id: str
    image_name: str = ""
    health: str = "unknown"


class FleetListing(Model):
    """The first 1,000 hosts, of `total`."""

    hosts: tuple[ListedHost, ...]
    total: int


class Fleet(ABC):
    """A platform whose hosts can be replaced, restored and probed."""

    @activity.defn
    @abstractmethod
    async def preview_plan(self, freeze: Freeze) -> Preview:
        """Resolve selectors and image to a plan. Raises `RefusedError` as a non-retryable failure."""

    @activity.defn
    @abstractmethod
    async def load_shard(self, ref: ShardRef) -> Shard:
        """Load a shard of a stored plan; what does not have the plan's digest is refused."""

    @activity.defn
    @abstractmethod
    async def check_fleet(self, check: FleetCheck) -> FleetFindings: ...

    @activity.defn
    @abstractmethod
    async def hold_groups(self, hold: GroupHold) -> None: ...

    @activity.defn
    @abstractmethod
    async def release_groups(self, hold: GroupHold) -> None:
        """Put back what `hold_groups` changed; safe when it changed nothing."""

    @activity.defn
    @abstractmethod
    async def change_host(self, change: HostChange) -> HostOutcome:
        """Change one host. A release that fails its checks is an outcome, not an error."""

    @activity.defn
    @abstractmethod
    async def restore_host(self, restore: HostRestore) -> HostOutcome:
        """Restore one host; safe when it was never touched."""

    @activity.defn
    @abstractmethod
    async def probe_hosts(self, probe: Probe) -> Sample: ...

    @activity.defn
    @abstractmethod
    async def adopt_image(self, adoption: ImageAdoption) -> None: ...

    @activity.defn
    @abstractmethod
    async def keep_report(self, kept: KeptReport) -> None:
        """Keep it beside the plans, as JSON; one of the same run takes its place."""

    @activity.defn
    @abstractmethod
    async def list_fleets(self, query: FleetQuery) -> FleetListing: ...
