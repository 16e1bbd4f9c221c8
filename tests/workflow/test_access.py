"""What one worker does not answer hides nothing of what the others say."""

from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from steadfleet_cli.doctor.access import LONGEST
from steadfleet_durable import build_worker
from steadfleet_durable.options import Options
from steadfleet_ports.access import Access, Accesses, AccessQuestion
from steadfleet_workflows import access
from steadfleet_workflows.access import IMAGE_QUEUE, AccessInspection, AccessReport

CAMPAIGN_QUEUE = "patch-campaign"


class Here(Accesses):
    @activity.defn
    async def inspect_access(self, question: AccessQuestion) -> Access:
        return Access(region="eu-west-1", bucket="plans")


class Failing(Here):
    @activity.defn
    async def inspect_access(self, question: AccessQuestion) -> Access:
        raise RuntimeError("no credentials were found")


async def asked(client: Client, campaigns: Accesses, **of: bool) -> AccessReport:
    """Ask where a campaign worker and a builder work."""
    own = Worker(
        client,
        task_queue=CAMPAIGN_QUEUE,
        workflows=[AccessInspection],
        activities=[campaigns.inspect_access],
        workflow_runner=UnsandboxedWorkflowRunner(),  # it would not see a time that a test makes short
    )
    builder = build_worker(client, task_queue=IMAGE_QUEUE, activities=[Here().inspect_access])
    async with own, builder:
        return await client.execute_workflow(
            AccessInspection.run,
            AccessQuestion(**of),
            id="look",
            task_queue=CAMPAIGN_QUEUE,
            execution_timeout=LONGEST,
        )


async def test_workers_that_have_just_ended_hide_nothing_of_the_others(
    time_skipping: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = Options(**{**access._ELSEWHERE, "schedule_to_close_timeout": timedelta(seconds=1)})
    monkeypatch.setattr(access, "_ELSEWHERE", at_once)

    report = await asked(time_skipping.client, Here(), janitor=True, builds=True, drills=True)

    assert report.access is not None
    assert report.builds is not None
    assert report.builds.access is not None
    assert report.drills is not None
    assert report.drills.access is None
    assert report.drills.problem == "no worker of task queue dr-drill answered in time"
    assert not report.drills.earlier
    assert report.janitor_problem == "no worker of task queue janitor answered in time"


async def test_a_campaign_workers_look_that_fails_hides_no_builders(
    time_skipping: WorkflowEnvironment,
) -> None:
    report = await asked(time_skipping.client, Failing(), builds=True)

    assert report.access_problem == "no credentials were found"
    assert report.builds is not None
    assert report.builds.access is not None


def test_the_doctor_waits_for_longer_than_the_looks_may_take() -> None:
    one_after_the_other = (
        access._LOOK["start_to_close_timeout"] + access._ELSEWHERE["schedule_to_close_timeout"]
    )

    assert one_after_the_other < LONGEST
