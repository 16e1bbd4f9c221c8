"""What the workers may do, and what time it is where: asked of the workers themselves."""

import secrets
from datetime import UTC, datetime, timedelta

from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from steadfleet_cli.doctor.findings import Finding, Standing, needed, unknown
from steadfleet_cli.doctor.rights import NAMES as RIGHTS
from steadfleet_cli.doctor.rights import rights
from steadfleet_cli.engine import CAMPAIGNS, DRILLS, IMAGES, JANITOR, polled, result_of
from steadfleet_cli.exits import CommandError
from steadfleet_durable import EngineError
from steadfleet_ports.access import Access, AccessQuestion
from steadfleet_workflows.access import AccessInspection, AccessReport

NAMES = ("clock", "object store", *RIGHTS)
ALLOWED_SKEW = timedelta(seconds=2)
LONGEST = timedelta(seconds=75)
"""The campaign worker's look and then the janitor's, at their longest; the others' are beside them."""
_TICK = timedelta(seconds=1)
"""What a cloud says of its time, it says in whole seconds."""


async def access(client: Client, question: AccessQuestion) -> list[Finding]:
    """Start a look; without a worker nobody would carry it out, and nothing is started."""
    if not await polled(client, CAMPAIGNS):
        return unknown(NAMES, "not known while no campaign worker polls")
    question = await _of_those_who_poll(client, question)
    try:
        before = datetime.now(UTC)
        handle = await client.start_workflow(
            AccessInspection.run,
            question,
            id=f"inspection/access/{secrets.token_hex(4)}",
            task_queue=CAMPAIGNS.task_queue,
            execution_timeout=LONGEST,
        )
        after = datetime.now(UTC)
        return await _answered(client, handle, question, (before, after))
    except RPCError as error:
        said = f"no look could be started: {error.status.name}: {error.message}"
        return unknown(NAMES, said, "a credential that may start workflows (`write`) is needed")


async def _of_those_who_poll(client: Client, question: AccessQuestion) -> AccessQuestion:
    asked = {"janitor": JANITOR, "builds": IMAGES, "drills": DRILLS}
    return question.model_copy(update={name: await polled(client, worker) for name, worker in asked.items()})


async def _answered(
    client: Client,
    handle: WorkflowHandle[AccessInspection, AccessReport],
    question: AccessQuestion,
    asked: tuple[datetime, datetime],
) -> list[Finding]:
    begun = (await handle.describe()).start_time
    here = skew(asked[0], begun, asked[1])
    try:
        report = await result_of(
            client, handle, advice="read the log of the worker; one of an earlier release cannot look"
        )
    except CommandError as error:
        return [
            _clock({"the engine's clock from this machine's": here}),
            *unknown(NAMES[1:], str(error), error.advice),
        ]
    except EngineError as error:  # it was encrypted with another key than ours
        return [_clock({"the engine's clock from this machine's": here}), *unknown(NAMES[1:], str(error))]
    ended = (await handle.describe()).close_time or begun
    skews = {"the engine's clock from this machine's": here, **_skews_of(report.access, begun, ended)}
    return [_clock(skews), _object_store(report), *rights(report, question)]


def skew(earliest: datetime, seen: datetime, latest: datetime) -> timedelta:
    """Return how far `seen` must be wrong, if it happened between the two; behind is negative."""
    if seen > latest:
        return seen - latest
    return min(seen - earliest, timedelta(0))


def _skews_of(access: Access | None, begun: datetime, ended: datetime) -> dict[str, timedelta]:
    if access is None or access.worker_time is None:
        return {}
    skews = {"the worker's clock from the engine's": skew(begun, access.worker_time, ended)}
    if access.cloud_time is not None:
        latest = access.cloud_time + _TICK
        skews["the worker's clock from the cloud's"] = skew(access.cloud_time, access.worker_time, latest)
    return skews


def _clock(skews: dict[str, timedelta]) -> Finding:
    wrong = [_told(whose, by) for whose, by in skews.items() if abs(by) > ALLOWED_SKEW]
    if not wrong:
        return Finding("clock", Standing.OK, f"{len(skews)} compared, none differs by more than 2 s")
    advice = (
        "let NTP set it: windows and leases are kept by the engine's clock, and AWS refuses calls at 5 min"
    )
    return Finding("clock", Standing.WARNING, "; ".join(wrong), advice)


def _told(whose: str, by: timedelta) -> str:
    return f"{whose}: {abs(by).total_seconds():.0f} s {'ahead' if by > timedelta(0) else 'behind'}"


def _object_store(report: AccessReport) -> Finding:
    if report.access is None:
        return Finding("object store", Standing.MISSING, report.access_problem, "read the log of the worker")
    problem = report.access.store_problem
    found = problem or f"s3://{report.access.bucket} in {report.access.region}"
    return needed(
        "object store",
        found,
        not problem,
        "create the bucket, name it in STEADFLEET_BUCKET, or allow it to the worker's role (docs/aws.md)",
    )
