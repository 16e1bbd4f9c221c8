"""Give new work to a new version of the workers, in steps, and take it back when the version goes bad.

The engine keeps where a rollout stands, so one that was interrupted goes on when it is run again.
"""

import asyncio
from datetime import timedelta

from temporalio.client import Client

from steadfleet_durable.deployments import Deployment, look
from steadfleet_durable.rollout_gate import pass_gate
from steadfleet_durable.rollout_nudge import nudge
from steadfleet_durable.rollout_order import (
    RolledOut,
    RolloutOrder,
    RolloutRefusedError,
    RolloutTakenBackError,
    Say,
    Sleep,
)
from steadfleet_durable.rollout_routing import make_current, ramp
from steadfleet_durable.rollout_watch import illness_of


async def sleep_for(time: timedelta) -> None:
    await asyncio.sleep(time.total_seconds())


def unready(deployment: Deployment | None, build_id: str) -> str | None:
    """Return why the version cannot take over yet, or None: it must poll all that the current one serves."""
    version = deployment.version(build_id) if deployment else None
    if deployment is None or version is None:
        return f"no worker of build {build_id} has polled"
    if version.unpolled:
        return f"nobody polls {', '.join(map(str, sorted(version.unpolled)))} for it now"
    current = deployment.version(deployment.current)
    missing = current.queues - version.queues if current else frozenset()
    if current and missing:
        queues = ", ".join(map(str, sorted(missing)))
        return f"{current.build_id}, which is current, serves {queues}: nobody polls it for {build_id}"
    return None


def remaining_steps(deployments: list[Deployment], order: RolloutOrder) -> tuple[int, ...]:
    """Return the steps from the lowest ramp on; a step that was begun is watched again in full."""
    lowest = min((_share(deployment, order.build_id) for deployment in deployments), default=0)
    return tuple(step for step in order.steps if step >= lowest)


def _share(deployment: Deployment, build_id: str) -> float:
    return deployment.ramp if deployment.ramping == build_id else 0


class Rollout:
    """One build, on every deployment of the order, in step."""

    def __init__(self, client: Client, order: RolloutOrder, say: Say, sleep: Sleep = sleep_for) -> None:
        self._client = client
        self._order = order
        self._build_id = order.build_id
        self._say = say
        self._sleep = sleep

    async def run(self) -> list[RolledOut]:
        """
        Roll out, and return what became of each deployment.

        Raises `RolloutRefusedError` where nothing more was changed, and `RolloutTakenBackError` when the
        new version went bad and takes no new work any more.
        """
        before = await self._ready()
        settled = {one.name for one in before if one.current == self._build_id}
        for gate in self._order.gates:
            if gate.deployment not in settled:
                await pass_gate(self._client, gate, self._build_id, self._order.patience, self._say)
        ramping = [one for one in before if await self._must_ramp(one)]
        if ramping:
            for step in remaining_steps(ramping, self._order):
                await self._raise_to(step, [one.name for one in ramping])
            for one in await self._looks([one.name for one in ramping]):
                await self._make_current(one)
        for one in await self._looks([one.name for one in before]):
            for version in one.versions:
                if version.running and version.build_id != self._build_id:
                    await nudge(self._client, one.name, version.build_id)
        return [await self._became(one) for one in before]

    async def _ready(self) -> list[Deployment]:
        """Wait until the new version polls all that it must; refuse when it does not in time."""
        waited, told = timedelta(), set[str]()
        while True:
            found = {name: await look(self._client, name) for name in self._order.deployments}
            waits = {name: why for name, one in found.items() if (why := unready(one, self._build_id))}
            if not waits:
                return [one for one in found.values() if one]
            if waited >= self._order.patience:
                raise _not_ready(waits, self._build_id)
            for line in sorted({f"waiting for {name}: {why}" for name, why in waits.items()} - told):
                self._say(line)
                told.add(line)
            await self._sleep(self._order.interval)
            waited += self._order.interval

    async def _must_ramp(self, deployment: Deployment) -> bool:
        """Do what needs no ramp at once: a first install, or back to the version that is current."""
        if deployment.current is None:
            await self._make_current(deployment)
            return False
        if deployment.current != self._build_id:
            return True
        if deployment.ramping:
            await ramp(self._client, deployment, "", 0)
            self._say(f"{deployment.name}: {deployment.ramping} takes no new work any more")
        self._say(f"{deployment.name}: {self._build_id} is current")
        return False

    async def _make_current(self, deployment: Deployment) -> None:
        await make_current(self._client, deployment, self._build_id)
        self._say(f"{deployment.name}: {self._build_id} is current")

    async def _raise_to(self, step: int, names: list[str]) -> None:
        """Ramp every deployment that is below the step, and watch for one pause."""
        shares = {}
        for one in await self._looks(names):
            shares[one.name] = max(step, _share(one, self._build_id))
            if one.ramping not in {None, self._build_id}:
                self._say(f"{one.name}: {one.ramping} takes no new work any more")
            if shares[one.name] != _share(one, self._build_id):
                await ramp(self._client, one, self._build_id, step)
            self._say(f"{one.name}: {shares[one.name]:g} % of new work goes to {self._build_id}")
        left = self._order.pause
        while True:
            await self._judge(shares)
            if not left:
                return
            nap = min(left, self._order.interval)
            await self._sleep(nap)
            left -= nap

    async def _judge(self, shares: dict[str, float]) -> None:
        """Take the ramp back when the new version is ill; touch nothing where somebody else steers."""
        for one in await self._looks(list(shares)):
            if _share(one, self._build_id) != shares[one.name]:
                raise _steered_by_others(one, self._build_id)
            if illness := await illness_of(self._client, one, self._build_id):
                await self._take_back(list(shares))
                raise RolloutTakenBackError(
                    f"{illness}; {self._build_id} takes no new work any more ({', '.join(shares)})",
                    "work that it began stays with it: keep its workers until `steadfleet workers list` shows"
                    " it drained, or start a worker of the same build id that is mended",
                )

    async def _take_back(self, names: list[str]) -> None:
        for one in await self._looks(names):
            if one.ramping == self._build_id:
                await ramp(self._client, one, "", 0)
                self._say(f"{one.name}: taken back; all new work goes to {one.current}")

    async def _looks(self, names: list[str]) -> list[Deployment]:
        found = [await look(self._client, name) for name in names]
        return [one for one in found if one]

    async def _became(self, before: Deployment) -> RolledOut:
        now = await look(self._client, before.name)
        replaced = before.current if before.current != self._build_id else None
        version = now.version(replaced) if now else None
        return RolledOut(before.name, self._build_id, replaced, version.running if version else 0)


def _not_ready(waits: dict[str, str], build_id: str) -> RolloutRefusedError:
    return RolloutRefusedError(
        f"nothing is changed, for build {build_id} is not ready: "
        + "; ".join(f"{name}: {why}" for name, why in waits.items()),
        f"start its workers (TEMPORAL_DEPLOYMENT_NAME, TEMPORAL_WORKER_BUILD_ID={build_id}), or leave a"
        " deployment out with --deployment; a queue that is given up on purpose: `temporal worker deployment"
        " set-current-version --ignore-missing-task-queues`",
    )


def _steered_by_others(deployment: Deployment, build_id: str) -> RolloutRefusedError:
    stands = f"{deployment.ramping} has {deployment.ramp:g} %" if deployment.ramping else "nothing ramps"
    return RolloutRefusedError(
        f"{deployment.name}: somebody else has changed its routing: {deployment.current} is current,"
        f" {stands}. It is left so",
        f"see `steadfleet workers list`; run it again when {build_id} is to go on from there",
    )
