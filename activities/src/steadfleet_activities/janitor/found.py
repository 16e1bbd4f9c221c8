"""What one look found, and how AWS says and is asked for tags."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from steadfleet_activities.fleet import tags
from steadfleet_activities.janitor.scope import Kind, Scope, Thing, isolated
from steadfleet_ports.lease import Left

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef

SERVES = f"it has no tag {tags.EXPIRES_AT}, so it is taken to serve"


@dataclass
class Found:
    """One look: what may be taken, in the order of its kinds, and what serves."""

    things: list[Thing] = field(default_factory=list)
    spared: list[Left] = field(default_factory=list)
    untagged: dict[str, Thing] = field(default_factory=dict)
    """Things that only their owner leads to, by id: they must be tagged before that owner goes."""

    def of(self, *kinds: Kind) -> list[Thing]:
        return [thing for kind in kinds for thing in self.things if thing.kind is kind]

    def take(self, scope: Scope, things: Iterable[Thing]) -> list[Thing]:
        """Add those that their tags put into the scope, and return them."""
        taken = [thing for thing in things if scope.takes(thing)]
        self.things += taken
        return taken

    def take_idle(self, scope: Scope, things: Iterable[Thing]) -> list[Thing]:
        """Add likewise, but spare what may serve: neither a drill's copy, nor made for a time."""
        ours = [thing for thing in things if scope.takes(thing)]
        idle = [thing for thing in ours if isolated(thing) or tags.EXPIRES_AT in thing.tags]
        self.spared += [thing.left(SERVES) for thing in ours if thing not in idle]
        self.things += idle
        return idle


def tags_in(listed: Iterable[Any]) -> dict[str, str]:
    """Read tags as most of AWS's services say them."""
    return {tag["Key"]: tag["Value"] for tag in listed}


def tagged(scope: Scope) -> "list[FilterTypeDef]":
    key, value = scope.tag
    return [filtered(f"tag:{key}", [value]) if value else filtered("tag-key", [key])]


def filtered(name: str, values: Sequence[str]) -> "FilterTypeDef":
    return {"Name": name, "Values": list(values)}
