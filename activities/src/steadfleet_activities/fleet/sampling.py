"""Look at the changed hosts of a shard."""

from dataclasses import dataclass

from steadfleet_activities.fleet.health import Streak
from steadfleet_activities.fleet.lineage import standing_for
from steadfleet_activities.fleet.machines import Machines
from steadfleet_activities.fleet.plans import PlanStore
from steadfleet_activities.fleet.probing import Prober
from steadfleet_core.campaign.verdict import Sample
from steadfleet_core.errors import RefusedError
from steadfleet_core.fleet import Host
from steadfleet_durable import unbroken
from steadfleet_ports.fleet import Probe


@dataclass(frozen=True)
class Sampling:
    plans: PlanStore
    machines: Machines
    prober: Prober

    async def sample(self, probe: Probe) -> Sample:
        """Count a host as healthy only if its machine said so; of one that is gone nothing is known."""
        hosts = await unbroken(self._hosts, probe)
        now = await unbroken(standing_for, self.machines, probe.campaign, list(hosts.values()))
        seen = {index: now[host.id] for index, host in hosts.items() if host.id in now}
        streaks = await self.prober.sample(list(seen.values()), probe.checks)
        judged = dict(zip(seen, streaks, strict=True))
        ill = {index: streak for index, streak in judged.items() if streak.ill and not streak.unseen}
        unseen = {index: streak for index, streak in judged.items() if streak.unseen}
        gone = {index: f"{host.id} is gone, and so is what replaced it" for index, host in hosts.items()}
        gone = {index: said for index, said in gone.items() if index not in seen}
        return Sample(
            healthy=len(judged) - len(ill) - len(unseen),
            unhealthy=tuple(sorted(ill)),
            unknown=tuple(sorted([*unseen, *gone])),
            reasons=_reasons(ill) | _reasons(unseen) | gone,
        )

    def _hosts(self, probe: Probe) -> dict[int, Host]:
        hosts = self.plans.load(probe.shard).hosts
        beyond = [index for index in probe.indexes if not 0 <= index < len(hosts)]
        if beyond:
            raise RefusedError(
                f"wave {probe.shard.wave}, shard {probe.shard.shard} has no host at {beyond}: expected 0 to "
                f"{len(hosts) - 1}"
            )
        return {index: hosts[index] for index in probe.indexes}


def _reasons(streaks: dict[int, Streak]) -> dict[int, str]:
    return {index: streak.reason() for index, streak in streaks.items()}
