"""The kinds of contract that the rules know; a kind of another package is read by its class alone."""

from collections.abc import Mapping
from types import MappingProxyType

from steadfleet_core.campaign.policy import PatchPolicy
from steadfleet_core.drill.plan import DrillPlan
from steadfleet_core.image.golden import GoldenImage
from steadfleet_core.model import Contract

KINDS: Mapping[str, type[Contract]] = MappingProxyType(
    {kind.__name__: kind for kind in (DrillPlan, GoldenImage, PatchPolicy)}
)
