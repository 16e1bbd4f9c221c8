"""Everything that ever stood in one planned host's place in a campaign."""

from collections.abc import Sequence
from dataclasses import dataclass

from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.machines import Launch, Machine, Machines
from steadfleet_core.fleet import Host


@dataclass(frozen=True)
class Lineage:
    """The planned host itself, if AWS still knows it, and what was launched for it, newest first."""

    host: Host
    original: Machine | None
    launched: tuple[Machine, ...]

    @property
    def alive(self) -> list[Machine]:
        every = [self.original, *self.launched] if self.original else list(self.launched)
        return [machine for machine in every if not machine.gone]

    @property
    def untraced(self) -> bool:
        return not self.launched

    def standing(self) -> Machine | None:
        """Return the planned host itself, if it can serve."""
        return self.original if self.original is not None and self.original.up else None

    def launched_by(self, launch: Launch) -> Machine | None:
        """Return the machine that came of this very launch, unless it is gone."""
        return next((one for one in self._of(launch) if not one.gone), None)

    def ended(self, launch: Launch) -> int:
        """Count what came of this launch and is gone, so that the next one asks for another."""
        return sum(one.gone for one in self._of(launch))

    def restored(self) -> Machine | None:
        """Return what stands in for a *before* that is gone: any attempt's is as good."""
        fit = (one for one in self.launched if tags.RESTORES in one.tags and one.up)
        return next((one for one in fit if one.image == self.host.before.image_id), None)

    def incumbent(self, ours: Machine | None) -> Machine | None:
        """Return what serves for the host until `ours` takes over."""
        others = (machine for machine in self.alive if ours is None or machine.id != ours.id)
        return next((machine for machine in others if machine.serves), None)

    def _of(self, launch: Launch) -> list[Machine]:
        wanted = launch.identity()
        return [one for one in self.launched if wanted.items() <= one.tags.items()]


def standing_for(machines: Machines, campaign: str, hosts: Sequence[Host]) -> dict[str, Machine]:
    """Map each planned host to the machine that serves in its place now; one that is gone is missing."""
    ids = [host.id for host in hosts]
    now = {one.id: one for one in machines.find(ids).values() if not one.gone}
    for one in reversed(machines.launched_for(campaign, ids)):  # so that the newest stays
        if one.serves:
            now[one.tags[tags.HOST]] = one
    return now
