"""What a run that ends leaves for a person to put right."""

from collections.abc import Sequence

from steadfleet_durable.metrics import count

OBLIGATIONS_LEFT = "steadfleet_obligations_left"


def count_obligations(left: Sequence[str]) -> None:
    """Count what an ended run owes: the run is over, so no gauge could ever show it again."""
    if left:
        count(OBLIGATIONS_LEFT, "Obligations that ended runs left to a person.", len(left))
