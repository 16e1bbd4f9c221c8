"""A worker with every workflow and the fakes, for workflow tests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from fakes.fleet import FakeFleet, FakeReservations
from fakes.lease import FakeLeases
from steadfleet_core.campaign.book import ContinuedOrder
from steadfleet_core.campaign.lifecycle import Abort, Approve, Receipt, Request, RollBack, State, Verb
from steadfleet_core.campaign.plan import CampaignOrder
from steadfleet_core.campaign.policy import PatchPolicy, RollbackScope
from steadfleet_core.campaign.report import CampaignReport, CampaignStatus
from steadfleet_durable import register, workflow_runner
from steadfleet_ports.lease import Leases
from steadfleet_workflows.campaign import PatchCampaign
from steadfleet_workflows.fleet import FleetReservation
from steadfleet_workflows.inspection import FleetInspection
from steadfleet_workflows.preview import CampaignPreview
from steadfleet_workflows.shard import PatchShard
from steadfleet_workflows.wave import PatchWave

TASK_QUEUE = "patch-campaign"
WORKFLOWS = [PatchCampaign, PatchWave, PatchShard, FleetReservation, CampaignPreview, FleetInspection]

DEADLINE = 20
"""Seconds after which a test no longer waits for something that should come at once."""


@asynccontextmanager
async def campaign_worker(
    env: WorkflowEnvironment,
    fleet: FakeFleet,
    reservations: FakeReservations | None = None,
    leases: Leases | None = None,
    **options: Any,
) -> AsyncIterator[Worker]:
    """Work with the fakes; at the end, hold what must be true of every campaign against their record."""
    reservations = reservations or FakeReservations()
    leases = leases or FakeLeases()
    async with Worker(
        env.client,
        task_queue=TASK_QUEUE,
        workflows=WORKFLOWS,
        activities=[*register(fleet), *register(reservations), *register(leases)],
        workflow_runner=workflow_runner(),
        max_heartbeat_throttle_interval=timedelta(milliseconds=100),
        default_heartbeat_throttle_interval=timedelta(milliseconds=100),
        **options,
    ) as worker:
        yield worker
    check_record(fleet)
    if await _closed(env):
        assert fleet.busy == 0, "closed with hosts in flight"
        assert ("hold_groups" in fleet.calls) <= (fleet.calls.count("release_groups") == 1)
        assert reservations.reserved in ([], reservations.released), "the fleet was not given back"
        if isinstance(leases, FakeLeases):
            assert ("hold_groups" in fleet.calls) <= bool(leases.opened), "held without a lease"
            assert bool(leases.opened) <= bool(leases.closed or leases.close_error), "its lease stays open"


async def _closed(env: WorkflowEnvironment) -> bool:
    try:
        campaign = await env.client.get_workflow_handle("campaign/web").describe()
    except RPCError:  # none was started under this name
        return False
    open_or_killed = {WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.TERMINATED}
    return campaign.status not in open_or_killed


def check_record(fleet: FakeFleet) -> None:
    """Hold what must be true of every campaign, however it ended, against the fake's record."""
    begun = [host for host in fleet.begun if host not in fleet.failed]
    if not fleet.broke:  # then the fleet's record is whole
        assert len(begun) == len(set(begun)), "a host was changed twice"
        assert set(fleet.restores) <= set(fleet.begun), "a host was restored that was never touched"
        assert not fleet.begun or "hold_groups" in fleet.calls, "hosts were changed with nothing held"
        assert "hold_groups" in fleet.calls or "release_groups" not in fleet.calls


_CLOSED = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
}


async def is_at_rest(handle: WorkflowHandle[Any, Any], running: int) -> bool:
    """
    Tell whether only that many activities move in a workflow.

    Where an update meets the end of another activity, the time-skipping engine can lose the workflow
    task's end from its history, and then the workflow stands still for ever.
    """
    kinds = [event.event_type for event in (await handle.fetch_history()).events]
    scheduled = kinds.count(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
    moving = scheduled - sum(kind in _CLOSED for kind in kinds)
    tasks = kinds.count(EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED)
    return moving == running and tasks == kinds.count(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)


async def until(condition: Callable[[], Awaitable[bool]] | Callable[[], bool], what: str = "") -> None:
    """Wait for what must come true soon."""
    try:
        async with asyncio.timeout(DEADLINE):
            while True:
                answer = condition()
                if answer if isinstance(answer, bool) else await answer:
                    return
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"did not come true in {DEADLINE} s: {what or condition}") from None


async def decide(handle: WorkflowHandle[Any, Any], verb: Any, request: Any, running: int = 0) -> Any:
    """Send an update when nothing moves but so many activities."""
    await until(lambda: is_at_rest(handle, running), f"all rests but {running}")
    return await handle.execute_update(verb, request)


def policy(labels: dict[str, str] | None = None, name: str = "web", **spec: Any) -> PatchPolicy:
    """Return a canary policy for the fake fleet; `spec` replaces parts of it, in YAML's words."""
    defaults = {
        "fleet": {"name": "web", "selector": {"groups": ["web"]}},
        "image": {"id": "ami-0000000000000002"},
        "strategy": {"type": "canary", "canary": {"steps": [2, "25%", "100%"]}},
        "disruptionBudget": {"overall": 6, "perZone": 2},
        "failureTolerance": {"hosts": 0},
        "healthChecks": {"checks": [{"type": "http", "port": 8080, "path": "/healthz"}]},
        "bake": {"time": "10m", "interval": "1m"},
        "approval": {"required": False},
        "rollback": {"automatic": True, "scope": "wave"},
    }
    return PatchPolicy.model_validate(
        {
            "apiVersion": "steadfleet.dev/v1",
            "kind": "PatchPolicy",
            "metadata": {"name": name, "labels": labels or {}},
            "spec": {**defaults, **spec},
        }
    )


@dataclass
class Campaign:
    """A campaign under test: its handle, and short words for what tests ask of it."""

    handle: WorkflowHandle[PatchCampaign, CampaignReport]

    async def status(self) -> CampaignStatus:
        return await self.handle.query(PatchCampaign.status)

    async def report(self) -> CampaignReport:
        return await self.handle.result()

    async def reaches(self, state: State) -> CampaignStatus:
        """Wait until the campaign says that it is in this state."""
        status = await self.status()

        async def reached() -> bool:
            nonlocal status
            status = await self.status()
            return status.state is state

        try:
            await until(reached)
        except AssertionError:
            raise AssertionError(f"expected {state}, still {status.state}: {status.reason}") from None
        return status

    async def _send(self, verb: Verb, request: Request) -> Receipt:
        receipt: Receipt = await self.handle.execute_update(verb, request, result_type=Receipt)
        return receipt

    async def approve(self, by: str = "bob", plan: str | None = None) -> Receipt:
        plan = plan or (await self.status()).plan or ""
        return await self._send(Verb.APPROVE, Approve(by=by, plan=plan))

    async def reject(self, by: str = "bob", reason: str = "") -> Receipt:
        return await self._send(Verb.REJECT, Request(by=by, reason=reason))

    async def pause(self, by: str = "bob", reason: str = "") -> Receipt:
        return await self._send(Verb.PAUSE, Request(by=by, reason=reason))

    async def resume(self, by: str = "bob") -> Receipt:
        return await self._send(Verb.RESUME, Request(by=by))

    async def abort(self, by: str = "bob", reason: str = "", *, rollback: bool = False) -> Receipt:
        return await self._send(Verb.ABORT, Abort(by=by, reason=reason, rollback=rollback))

    async def advance(self, by: str = "bob") -> Receipt:
        return await self._send(Verb.ADVANCE, Request(by=by))

    async def retry(self, by: str = "bob") -> Receipt:
        return await self._send(Verb.RETRY, Request(by=by))

    async def rollback(self, by: str = "bob", scope: RollbackScope = RollbackScope.CAMPAIGN) -> Receipt:
        return await self._send(Verb.ROLL_BACK, RollBack(by=by, scope=scope))


async def start_campaign(env: WorkflowEnvironment, by: str = "ann", **spec: Any) -> Campaign:
    order = CampaignOrder(policy=policy(**spec), requested_by=by, search_attributes=False)
    return await start_order(env, order)


async def start_order(env: WorkflowEnvironment, order: CampaignOrder | ContinuedOrder) -> Campaign:
    handle = await env.client.start_workflow(
        PatchCampaign.run,
        order,
        id=f"campaign/{order.policy.metadata.name}",
        task_queue=TASK_QUEUE,
        execution_timeout=timedelta(days=365),
    )
    return Campaign(handle)
