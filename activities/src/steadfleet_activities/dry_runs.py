"""Calls that are tried and not carried out: AWS checks the permission and does nothing."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from steadfleet_activities.fleet.errors import code_of

NOWHERE = "0" * 17
"""The id of nothing: a dry run needs one, and nothing is there that could be meant."""

_REFUSALS = frozenset(
    {
        "UnauthorizedOperation",
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "OptInRequired",
    }
)


def refused(calls: Mapping[str, Callable[[], Any]], region: str, worker: str) -> Iterator[str]:
    """Name each call that AWS would refuse here; an answer that makes no sense is raised."""
    for action, call in calls.items():
        if code := _refusal(call):
            yield f"{action} in {region} is refused ({code}): allow it to the {worker}'s role (docs/aws.md)"


def _refusal(call: Callable[[], Any]) -> str | None:
    try:
        call()
    except ClientError as error:
        code = code_of(error)
        if code in _REFUSALS:
            return code
        if code != "DryRunOperation" and not code.endswith((".NotFound", ".Malformed", ".Unavailable")):
            raise
    return None
