"""Moments inside a run, each a call to the platform, and a way to stop the run exactly there."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args

from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.calls import Call
from steadfleet_local_cloud.faults import Fault, Release

Worker = Literal["builder", "driller", "janitor", "signer", "witness"]
Caller = Worker | Literal["packer", "somebody"]
_WORKERS: tuple[Worker, ...] = get_args(Worker)
PATIENCE = timedelta(minutes=3)
"""For a run to come to a moment, on a machine that has much else to do."""

APP = "AWS_SDK_UA_APP_ID"
"""boto3 tells its value with every call: so each worker's calls bear its name."""


def caller_of(call: Call) -> Caller:
    if call.user_agent.startswith("aws-sdk-go"):
        return "packer"
    named = (worker for worker in _WORKERS if f"app/{worker}" in call.user_agent)
    return next(named, "somebody")


@dataclass(frozen=True)
class Moment:
    """The `number`th call of an action by one caller, held before or after its effect.

    `having` is to be found in its parameters, written `name=value`.
    """

    by: Caller
    action: str
    having: str = ""
    number: int = 1
    when: Literal["before", "after"] = "after"

    def matches(self, call: Call) -> bool:
        said = "\n".join(f"{name}={value}" for name, value in call.parameters.items())
        return call.action == self.action and caller_of(call) == self.by and self.having in said


class Stop:
    """Holds the one call that a moment means; every other goes by."""

    def __init__(self, cloud: LocalCloud, moment: Moment) -> None:
        self._cloud = cloud
        self._moment = moment
        self._counted = itertools.count(1)
        # It matches no call by itself: which one it strikes is said below.
        self._fault = cloud.add_fault("hold", action="none", when=moment.when)
        self._strike: Callable[[Call], list[Fault]] = cloud.faults.strike_call
        cloud.faults.strike_call = self._strike_there  # type: ignore[method-assign]

    async def reached(self) -> None:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            # No thread: whoever waits may give up sooner.
            while not self._fault.held:  # noqa: ASYNC110 - it is another thread that holds
                await asyncio.sleep(0.02)

    def let_go(self, then: Release = "continue") -> None:
        """Let the held call go on, or drop it where nobody hears its answer; none is held any more."""
        self._cloud.faults.strike_call = self._strike  # type: ignore[method-assign, assignment]
        self._cloud.release(self._fault, then)
        self._cloud.clear_faults(self._fault)

    def _strike_there(self, call: Call) -> list[Fault]:
        struck = self._strike(call)
        if self._moment.matches(call) and next(self._counted) == self._moment.number:
            return [*struck, self._fault]
        return struck
