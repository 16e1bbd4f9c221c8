"""What no worker can tell of itself: runs that wait for a person, leases, queues that nobody polls.

The janitor asks the engine, for it is there wherever anything is changed, and answers the leases'
queries itself. What a workflow's own gauge said would be lost with the worker that held it. Several
janitors show the same; alerts take the highest.
"""

from collections import Counter
from datetime import timedelta

from temporalio.client import Client, RPCError, WorkflowQueryFailedError
from temporalio.common import MetricMeter
from temporalio.service import RPCStatusCode

from steadfleet_durable import CurrentClient, engine_runtime
from steadfleet_durable.deployments import deployment_problems
from steadfleet_durable.metrics import Gauge, Labels, labelled, watch
from steadfleet_durable.metrics_queues import Kind, Queue, QueueGauges
from steadfleet_ports.lease import JANITOR_QUEUE, LEASE_WORKFLOW, LeaseState, LeaseStatus
from steadfleet_workflows.lease import Lease
from steadfleet_workflows.visibility import STATE

RUNS = "steadfleet_runs"
LEASES = "steadfleet_leases"
OBLIGATIONS = "steadfleet_obligations"
RESIDUE = "steadfleet_lease_residue"
STRANDED = "steadfleet_versions_stranded"

RUN_TYPES = ("PatchCampaign", "GoldenImage", "DrDrill")
UNANSWERED = "unanswered"
QUEUES = (
    *(
        Queue(name, kind)
        for name in ("patch-campaign", "image-build", "dr-drill", JANITOR_QUEUE)
        for kind in Kind
    ),
    Queue("signer", Kind.ACTIVITY),
    Queue("witness", Kind.ACTIVITY),
)
_LEASE_ANSWERS_WITHIN = timedelta(seconds=5)


async def watch_engine(client: CurrentClient, every: timedelta) -> None:
    """Look at it until cancelled."""
    meter = engine_runtime().metric_meter
    queues = QueueGauges(client, meter, QUEUES)
    gauges = RunGauges(meter)

    async def look() -> None:
        await queues.look()
        await gauges.look(client())

    await watch("engine", look, every=every, meter=meter)


class RunGauges:
    """Open runs by their state, and what leases still hold."""

    def __init__(self, meter: MetricMeter) -> None:
        self._runs = Gauge(meter, RUNS, "Open campaigns, builds and drills by state.")
        self._leases = Gauge(meter, LEASES, "Open leases by state.")
        self._obligations = Gauge(meter, OBLIGATIONS, "What must be put back, by the state of its lease.")
        self._residue = Gauge(meter, RESIDUE, "Things of ended runs that could not be taken away yet.")
        self._stranded = Gauge(
            meter, STRANDED, "Deployments without a current version, versions with work and no poller."
        )

    async def look(self, client: Client) -> None:
        self._runs.show(await _runs(client))
        leases = await _leases(client)
        states = Counter(lease.state.value if lease else UNANSWERED for lease in leases)
        self._leases.show(_every_state(states))
        told = [lease for lease in leases if lease]
        owed = Counter(dict.fromkeys(LeaseState, 0))
        for lease in told:
            owed[lease.state] += len(lease.obligations)
        self._obligations.show({labelled(state=state.value): number for state, number in owed.items()})
        self._residue.show({labelled(): sum(len(lease.residue.left) for lease in told)})
        self._stranded.show({labelled(): len(await deployment_problems(client))})


def _every_state(states: Counter[str]) -> dict[Labels, float]:
    return {labelled(state=state): states[state] for state in (*LeaseState, UNANSWERED)}


async def _runs(client: Client) -> dict[Labels, float]:
    """Count what visibility knows: it needs no worker, and forgets nothing while a run is open."""
    types = ", ".join(f"'{name}'" for name in RUN_TYPES)
    seen: Counter[tuple[str, str]] = Counter({(name, "halted"): 0 for name in RUN_TYPES})
    async for run in client.list_workflows(f"WorkflowType IN ({types}) AND CloseTime IS NULL"):
        seen[run.workflow_type, run.typed_search_attributes.get(STATE) or "unknown"] += 1
    return {labelled(workflow=name, state=state): number for (name, state), number in seen.items()}


async def _leases(client: Client) -> list[LeaseStatus | None]:
    """Ask each open lease; one that does not answer is counted as that, never as well."""
    query = f"WorkflowType = '{LEASE_WORKFLOW}' AND CloseTime IS NULL"
    return [await _status(client, run.id) async for run in client.list_workflows(query)]


async def _status(client: Client, workflow: str) -> LeaseStatus | None:
    handle = client.get_workflow_handle(workflow)
    try:
        return await handle.query(Lease.status, rpc_timeout=_LEASE_ANSWERS_WITHIN)
    except WorkflowQueryFailedError:
        return None
    except RPCError as error:
        if error.status in {RPCStatusCode.UNAVAILABLE, RPCStatusCode.PERMISSION_DENIED}:
            raise
        return None
