"""Make a thing once, whatever happens to the answers."""

from collections.abc import Callable
from typing import TypeVar

from temporalio.exceptions import ApplicationError

from steadfleet_activities.fleet.errors import UNCLEAR

_Thing = TypeVar("_Thing")


def ensured(what: str, look: Callable[[], _Thing | None], create: Callable[[], object]) -> _Thing:
    """Look, make it if it is not there, and look again. `create` must not retry by itself. Blocks."""
    found = look()
    if found is not None:
        return found
    try:
        create()
    except UNCLEAR:
        # Its answer was lost, or it was refused because another attempt had made it.
        found = look()
        if found is None:
            raise
        return found
    found = look()
    if found is None:
        raise ApplicationError(f"{what} was made and is not seen yet: it is looked for again", type="NotSeen")
    return found
