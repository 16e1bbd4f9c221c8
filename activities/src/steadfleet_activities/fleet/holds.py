"""Make room in groups and still their own hands, and put both back.

What was there before is written on the group itself before anything is changed: whoever comes
after a crash finds it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError
from temporalio.exceptions import ApplicationError

from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.clients import Aws
from steadfleet_activities.fleet.members import Members, group_tag
from steadfleet_core.errors import RefusedError
from steadfleet_core.fleet import Group
from steadfleet_core.model import Model
from steadfleet_durable import get_logger
from steadfleet_ports.fleet import GroupHold

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.type_defs import AutoScalingGroupTypeDef

# A host that is being drained fails its group's health check: ReplaceUnhealthy would end it, and
# launch another from the group's own template. For the moment of a swap a zone has one host too
# many: AZRebalance would end one of its own choice. InstanceRefresh would replace what was just
# replaced. All else goes on: a group still grows and shrinks at night, on its old template.
STILLED = ("AZRebalance", "InstanceRefresh", "ReplaceUnhealthy")

_log = get_logger(__name__)


class Held(Model):
    """What a group was like before a campaign held it. A tag's value has at most 256 characters."""

    campaign: str
    run: str
    maximum: int
    raised: int
    suspended: tuple[str, ...]


@dataclass(frozen=True)
class Holds:
    aws: Aws
    members: Members

    def hold(self, order: GroupHold) -> None:
        for group in order.plan.groups:
            self._hold(group, order)

    def release(self, order: GroupHold) -> None:
        """Put every group back that can be, before saying which cannot."""
        found = [self._release(group.name, order.campaign, order.run) for group in order.plan.groups]
        _refuse_in_use(found)

    def release_group(self, name: str, campaign: str, run: str) -> None:
        """Put one group back if this run of the campaign holds it; its own tag says what it was like."""
        _refuse_in_use([self._release(name, campaign, run)])

    def _hold(self, frozen: Group, order: GroupHold) -> None:
        group = self.members.group(frozen.name)
        held = held_by(group)
        refuse_other(held, frozen.name, order.campaign)
        suspended = _suspended(group)
        if held is None:
            maximum = group["MaxSize"]
            ours = tuple(name for name in STILLED if name not in suspended)
            held = Held(
                campaign=order.campaign, run=order.run, maximum=maximum, raised=maximum, suspended=ours
            )
        wanted = held.model_copy(
            update={"run": order.run, "raised": max(held.raised, held.maximum + order.surge)}
        )
        if wanted != held_by(group):
            self._note(frozen.name, wanted)
        if group["MaxSize"] < wanted.raised:
            self._set_maximum(frozen.name, wanted.raised)
        if missing := [name for name in wanted.suspended if name not in suspended]:
            self.aws.autoscaling.suspend_processes(AutoScalingGroupName=frozen.name, ScalingProcesses=missing)

    def _release(self, name: str, campaign: str, run: str) -> str | None:
        """Put one group back; say why not, if its size does not allow it yet."""
        found = self.members.groups([name])
        held = held_by(found[0]) if found else None
        if held is None or (held.campaign, held.run) != (campaign, run):
            return None  # a later run of the same campaign has taken it over, and puts it back
        group = found[0]
        if ours := sorted(_suspended(group) & set(held.suspended)):
            self.aws.autoscaling.resume_processes(AutoScalingGroupName=name, ScalingProcesses=ours)
        if group["MaxSize"] != held.raised:
            _log.warning("maximum changed by another hand, left alone", group=name, now=group["MaxSize"])
        elif group["DesiredCapacity"] > held.maximum:
            # AWS would end hosts at once, and choose them itself.
            return (
                f"group {name} wants {group['DesiredCapacity']} hosts, more than its own maximum of "
                f"{held.maximum}: its maximum stays at {held.raised} until it has scaled in; lower its "
                f"desired capacity, or set the maximum that you want and remove its tag {tags.HELD}"
            )
        else:
            self._set_maximum(name, held.maximum)
        self.aws.autoscaling.delete_tags(Tags=[group_tag(name, tags.HELD, "")])
        return None

    def _set_maximum(self, name: str, size: int) -> None:
        self.aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, MaxSize=size)

    def _note(self, name: str, held: Held) -> None:
        self.aws.autoscaling.create_or_update_tags(Tags=[group_tag(name, tags.HELD, held.model_dump_json())])


def held_by(group: "AutoScalingGroupTypeDef") -> Held | None:
    said = next((tag.get("Value", "") for tag in group.get("Tags", []) if tag["Key"] == tags.HELD), None)
    if said is None:
        return None
    try:
        return Held.model_validate_json(said)
    except ValidationError as error:
        raise RefusedError(
            f"group {group['AutoScalingGroupName']}: its tag {tags.HELD} cannot be read: got {said!r}, "
            "expected what a campaign wrote there; set the group's maximum and processes by hand, then "
            "remove the tag"
        ) from error


def refuse_other(held: Held | None, name: str, campaign: str) -> None:
    if held is not None and held.campaign != campaign:
        raise RefusedError(
            f"group {name} is held by {held.campaign} (run {held.run}), expected no other campaign to change "
            f"it: wait for its end, or abort it; if it is gone, set MaxSize to {held.maximum}, resume "
            f"{', '.join(held.suspended) or 'nothing'}, and remove the group's tag {tags.HELD}"
        )


def _refuse_in_use(found: list[str | None]) -> None:
    if left := [said for said in found if said is not None]:
        raise ApplicationError("; ".join(left), type="GroupInUse")


def _suspended(group: "AutoScalingGroupTypeDef") -> set[str]:
    return {one["ProcessName"] for one in group.get("SuspendedProcesses", []) if "ProcessName" in one}
