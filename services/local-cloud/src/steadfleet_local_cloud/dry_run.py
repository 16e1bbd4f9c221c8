"""EC2's DryRun: every call that has it answers `DryRunOperation` and has no effect."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from moto.ec2.responses import EC2Response
from moto.ec2.responses._base_response import EC2BaseResponse

from steadfleet_local_cloud.patches import Patches

_CHECK = EC2BaseResponse.error_on_dryrun.__name__
_MISSING = {"NotImplementedError", "raise_not_implemented_error"}


class DryRun:
    """
    Refuse the dry runs that moto would carry out, and those of what it does not have.

    To be made after everything that wraps EC2's actions: theirs are asked dry too.
    """

    def __init__(self, patches: Patches) -> None:
        for name, code in list(_actions()):
            if code <= _MISSING | {_CHECK, "ec2_backend"} and code & _MISSING:
                patches.wrap(EC2Response, name, _refuse_missing)
            elif _CHECK not in code:
                patches.wrap(EC2Response, name, _check_first)


def _check_first(original: Any, response: Any) -> Any:
    response.error_on_dryrun()
    return original(response)


def _refuse_missing(original: Any, response: Any) -> Any:
    raise NotImplementedError(f"{original.__name__} is not there, to be run dry or otherwise")


def _actions() -> Iterator[tuple[str, set[str]]]:
    """Name moto's actions, each with the names that its code speaks of."""
    for name, action in inspect.getmembers(EC2Response, inspect.isfunction):
        if not name.startswith("_") and not hasattr(EC2BaseResponse, name):
            yield name, set(inspect.unwrap(action).__code__.co_names)
