"""Calls that are tried and not carried out: AWS checks the permission and does nothing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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

Calls = Mapping[str, Callable[[], Any]]
"""By their actions, as IAM calls them."""


@dataclass(frozen=True)
class Tried:
    """What AWS would refuse, and what it answered so that nobody knows."""

    refused: tuple[str, ...]
    unclear: tuple[str, ...]


def refused(calls: Calls, region: str, worker: str) -> Iterator[str]:
    """Name each call that AWS would refuse here; an answer that makes no sense is raised."""
    for action, call in calls.items():
        if code := _refusal(call):
            yield _refused(action, region, code, worker)


def tried(calls: Calls, region: str, worker: str) -> Tried:
    """Try every call, whatever the others were answered; those that make no sense are told by their code."""
    no: list[str] = []
    senseless: dict[str, list[str]] = {}
    for action, call in calls.items():
        try:
            code = _refusal(call)
        except ClientError as error:
            senseless.setdefault(code_of(error), []).append(action)
        else:
            no += [_refused(action, region, code, worker)] if code else []
    unclear = [
        f"AWS answers {', '.join(actions)} in {region} with {code}" for code, actions in senseless.items()
    ]
    return Tried(tuple(no), tuple(unclear))


def _refused(action: str, region: str, code: str, worker: str) -> str:
    return f"{action} in {region} is refused ({code}): allow it to the {worker}'s role (docs/aws.md)"


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
