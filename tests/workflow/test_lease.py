"""A lease at its real durations: it holds for a live owner, and clears up after a dead one."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from conftest import StartEngine
from temporalio.client import (
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from fakes.lease import FakeJanitor, janitor_worker
from fakes.worker import until
from steadfleet_durable import BRIEF
from steadfleet_ports.lease import (
    JANITOR_QUEUE,
    LeaseOrder,
    LeaseState,
    LeaseStatus,
    Obligation,
    ObligationKind,
    Owner,
    Renewal,
    Residue,
    Sweep,
    lease_id,
)
from steadfleet_workflows.lease import SETTLE_TIME, Lease

RUN = "run-1"
TERM = timedelta(minutes=15)
OWNER = Owner(workflow="campaign/web", run="first")
RELEASE = Obligation(kind=ObligationKind.RELEASE_GROUPS, subject="web", detail="campaign/web", run=RUN)
MOMENT = timedelta(seconds=1)

Handle = WorkflowHandle[Lease, Residue]


def order(*obligations: Obligation, owner: Owner = OWNER, **sweep: Any) -> LeaseOrder:
    return LeaseOrder(sweep=Sweep(run=RUN, **sweep), owner=owner, term=TERM, obligations=obligations)


async def open_lease(env: WorkflowEnvironment, ordered: LeaseOrder | None = None) -> LeaseStatus:
    ordered = ordered or order()
    start = WithStartWorkflowOperation(
        Lease.run,
        ordered,
        id=lease_id(RUN),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_queue=JANITOR_QUEUE,
        execution_timeout=timedelta(days=365),
    )
    return await env.client.execute_update_with_start_workflow(
        Lease.open, ordered, start_workflow_operation=start
    )


def lease(env: WorkflowEnvironment) -> Handle:
    return env.client.get_workflow_handle_for(Lease.run, lease_id(RUN))


async def end_of(env: WorkflowEnvironment) -> Residue:
    """Let time pass until the lease has ended: time is only skipped while somebody sleeps in it."""
    for _ in range(24 * 60):
        described = await lease(env).describe()
        if described.status is not WorkflowExecutionStatus.RUNNING:
            handle: Handle = env.client.get_workflow_handle(
                lease_id(RUN), run_id=described.run_id, result_type=Residue
            )
            return await handle.result()
        await env.sleep(timedelta(minutes=1))
    raise AssertionError("the lease did not end within a day")


async def test_open_answers_when_the_janitor_has_rehearsed(time_skipping: WorkflowEnvironment) -> None:
    janitor = FakeJanitor()
    async with janitor_worker(time_skipping, janitor):
        before = await time_skipping.get_current_time()
        status = await open_lease(time_skipping, order(RELEASE))

    assert [one.run for one in janitor.rehearsals] == [RUN]
    assert status.state is LeaseState.HELD
    assert status.obligations == (RELEASE,)
    assert timedelta(0) <= status.expires_at - before - TERM < timedelta(minutes=1)


async def test_open_is_refused_in_words_when_the_janitor_may_not_delete(
    time_skipping: WorkflowEnvironment,
) -> None:
    janitor = FakeJanitor(refusals=("ec2:DeleteVolume is refused",), owner_open=False)
    async with janitor_worker(time_skipping, janitor):
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await open_lease(time_skipping)
        await end_of(time_skipping)

    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "RefusedError"
    assert "may not clean up after run-1: ec2:DeleteVolume is refused" in str(refused.value.cause)
    assert janitor.looks == 0, "the lease has ended: nothing was made under it"


async def test_a_second_open_of_the_same_owner_finds_the_lease_and_renews_it(
    time_skipping: WorkflowEnvironment,
) -> None:
    janitor = FakeJanitor()
    async with janitor_worker(time_skipping, janitor):
        first = await open_lease(time_skipping)
        await time_skipping.sleep(timedelta(minutes=5))
        again = await open_lease(time_skipping, order(RELEASE))

    assert again.expires_at - first.expires_at >= timedelta(minutes=5)
    assert again.obligations == (RELEASE,)
    assert len(janitor.rehearsals) == 1


async def test_another_owner_is_refused(time_skipping: WorkflowEnvironment) -> None:
    async with janitor_worker(time_skipping, FakeJanitor()):
        await open_lease(time_skipping)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await open_lease(time_skipping, order(owner=Owner(workflow="campaign/db", run="x")))

    assert "lease/run-1 belongs to campaign/web (run first), not to campaign/db" in str(refused.value.cause)


async def test_a_wider_sweep_is_rehearsed_again(time_skipping: WorkflowEnvironment) -> None:
    janitor = FakeJanitor()
    async with janitor_worker(time_skipping, janitor):
        await open_lease(time_skipping)
        await open_lease(time_skipping, order(regions=("eu-west-1", "us-east-1")))

    assert [one.regions for one in janitor.rehearsals] == [(), ("eu-west-1", "us-east-1")]
    assert len({one.since for one in janitor.rehearsals}) == 1


async def test_a_running_owner_that_says_nothing_is_extended_with_an_alarm_and_never_acted_upon(
    time_skipping: WorkflowEnvironment,
) -> None:
    janitor = FakeJanitor(things={"i-1"})
    async with janitor_worker(time_skipping, janitor):
        opened = await open_lease(time_skipping, order(RELEASE))
        await time_skipping.sleep(TERM * 3)
        status = await lease(time_skipping).query(Lease.status)

    assert status.expires_at >= opened.expires_at + 2 * TERM
    assert len(status.alarms) >= 2
    assert "not renewed, and extended: campaign/web is open" in status.alarms[0]
    assert not janitor.sweeps
    assert not janitor.discharged


async def test_a_renewed_lease_holds_without_an_alarm(time_skipping: WorkflowEnvironment) -> None:
    janitor = FakeJanitor(things={"i-1"})
    async with janitor_worker(time_skipping, janitor):
        await open_lease(time_skipping)
        for _ in range(12):
            await time_skipping.sleep(TERM / 3)
            await lease(time_skipping).signal(Lease.renew)
        status = await lease(time_skipping).query(Lease.status)

    assert status.alarms == ()
    assert status.expires_at > await time_skipping.get_current_time()
    assert not janitor.sweeps


async def test_a_renewal_may_hold_longer_and_never_shortens(time_skipping: WorkflowEnvironment) -> None:
    async with janitor_worker(time_skipping, FakeJanitor()):
        await open_lease(time_skipping)
        await lease(time_skipping).signal(Lease.renew, Renewal(hold=timedelta(hours=2)))
        longer = await lease(time_skipping).query(Lease.status)
        await lease(time_skipping).signal(Lease.renew)
        after = await lease(time_skipping).query(Lease.status)
        await time_skipping.sleep(timedelta(minutes=100))
        late = await lease(time_skipping).query(Lease.status)

    assert after.expires_at == longer.expires_at
    assert late.alarms == ()


async def test_expiry_with_a_closed_owner_puts_back_and_takes_away(
    time_skipping: WorkflowEnvironment,
) -> None:
    janitor = FakeJanitor(things={"i-1", "i-2"}, owner_open=False)
    async with janitor_worker(time_skipping, janitor):
        await open_lease(time_skipping, order(RELEASE))
        residue = await end_of(time_skipping)
        status = await lease(time_skipping).query(Lease.status)

    assert janitor.discharged == {"web": 1}
    assert not janitor.things
    assert [one.id for one in residue.removed] == ["i-1", "i-2"]
    assert residue.left == ()
    assert status.state is LeaseState.ENDED
    assert "campaign/web has closed, and has not closed its lease" in status.alarms[0]


async def test_an_owner_that_was_closed_at_one_look_only_is_not_acted_upon(
    time_skipping: WorkflowEnvironment,
) -> None:
    """Visibility lags: children that the owner began last are not seen at first."""
    janitor = FakeJanitor(things={"i-1"}, closed_looks=1)
    async with janitor_worker(time_skipping, janitor):
        await open_lease(time_skipping)
        await time_skipping.sleep(TERM + SETTLE_TIME + MOMENT)
        status = await lease(time_skipping).query(Lease.status)

    assert janitor.looks >= 2
    assert status.state is LeaseState.HELD
    assert not janitor.sweeps


async def test_an_owner_that_cannot_be_looked_at_counts_as_alive(time_skipping: WorkflowEnvironment) -> None:
    janitor = FakeJanitor(things={"i-1"}, look_error="visibility is down", owner_open=False)
    async with janitor_worker(time_skipping, janitor):
        await open_lease(time_skipping)
        await time_skipping.sleep(TERM + MOMENT)
        status = await lease(time_skipping).query(Lease.status)
        assert "campaign/web could not be looked at: visibility is down" in status.alarms[0]
        assert not janitor.sweeps
        janitor.look_error = ""
        await end_of(time_skipping)

    assert not janitor.things


async def test_a_closed_owner_is_swept_before_a_long_renewal_ends_and_looked_at_again_at_its_end(
    time_skipping: WorkflowEnvironment,
) -> None:
    """What a worker that lost sight of Temporal creates before the deadline is taken away after it."""
    janitor = FakeJanitor(things={"i-1"})
    async with janitor_worker(time_skipping, janitor):
        await open_lease(time_skipping)
        await lease(time_skipping).signal(Lease.renew, Renewal(hold=timedelta(hours=2)))
        janitor.owner_open = False
        await time_skipping.sleep(2 * TERM)
        assert not janitor.things, "swept long before the renewal ends"
        status = await lease(time_skipping).query(Lease.status)
        assert status.state is LeaseState.WATCHING
        janitor.things = {"i-late"}
        residue = await end_of(time_skipping)
        ended = await time_skipping.get_current_time()

    assert not janitor.things
    assert [one.id for one in residue.removed] == ["i-1", "i-late"]
    assert ended >= status.expires_at


async def test_close_answers_what_was_there_and_ends_the_lease(time_skipping: WorkflowEnvironment) -> None:
    janitor = FakeJanitor(things={"i-1"})
    async with janitor_worker(time_skipping, janitor):
        await open_lease(time_skipping, order(RELEASE))
        answer = await lease(time_skipping).execute_update(Lease.close, OWNER)
        result = await end_of(time_skipping)

    assert [one.id for one in answer.removed] == ["i-1"]
    assert answer.left == ()
    assert result == answer
    assert janitor.discharged == {"web": 1}
    assert janitor.looks == 0


async def test_close_of_a_clean_run_sweeps_nothing(time_skipping: WorkflowEnvironment) -> None:
    janitor = FakeJanitor()
    async with janitor_worker(time_skipping, janitor):
        await open_lease(time_skipping)
        answer = await lease(time_skipping).execute_update(Lease.close, OWNER)

    assert answer == Residue()
    assert not janitor.sweeps


async def test_close_by_another_is_refused(time_skipping: WorkflowEnvironment) -> None:
    async with janitor_worker(time_skipping, FakeJanitor()):
        await open_lease(time_skipping)
        with pytest.raises(WorkflowUpdateFailedError):
            await lease(time_skipping).execute_update(
                Lease.close, Owner(workflow="campaign/web", run="second")
            )
        status = await lease(time_skipping).query(Lease.status)

    assert status.state is LeaseState.HELD


async def test_close_answers_what_is_left_and_the_lease_insists(time_skipping: WorkflowEnvironment) -> None:
    janitor = FakeJanitor(things={"i-1", "sg-1"}, stuck={"sg-1": 2})
    async with janitor_worker(time_skipping, janitor):
        await open_lease(time_skipping)
        answer = await lease(time_skipping).execute_update(Lease.close, OWNER)
        residue = await end_of(time_skipping)
        status = await lease(time_skipping).query(Lease.status)

    assert [(one.id, one.why) for one in answer.left] == [("sg-1", "DependencyViolation")]
    assert residue.left == ()
    assert len(janitor.sweeps) == 3
    assert len(status.alarms) == 2
    assert (
        "still to do, tried again in 1m: instance sg-1 in eu-west-1: DependencyViolation" in status.alarms[0]
    )


async def test_a_sweep_that_fails_is_tried_again_with_an_alarm_each_time(
    time_skipping: WorkflowEnvironment,
) -> None:
    janitor = FakeJanitor(things={"i-1"}, stuck={"i-1": 5}, owner_open=False)
    async with janitor_worker(time_skipping, janitor):
        await open_lease(time_skipping)
        residue = await end_of(time_skipping)
        status = await lease(time_skipping).query(Lease.status)

    assert len(janitor.sweeps) == 6
    assert residue.left == ()
    pauses = [alarm.partition("tried again in ")[2].partition(":")[0] for alarm in status.alarms[1:]]
    assert pauses == ["1m", "2m", "4m", "8m", "16m"]


async def test_what_cannot_be_looked_at_is_never_called_clean(time_skipping: WorkflowEnvironment) -> None:
    janitor = FakeJanitor(find_errors=1)
    async with janitor_worker(time_skipping, janitor):
        await open_lease(time_skipping)
        answer = await lease(time_skipping).execute_update(Lease.close, OWNER)
        await end_of(time_skipping)

    assert [one.why for one in answer.left] == ["AWS does not answer"]


async def test_an_obligation_is_discharged_once_and_retried_until_then(
    time_skipping: WorkflowEnvironment,
) -> None:
    janitor = FakeJanitor(things={"i-1"}, stuck={"i-1": 3}, owner_open=False, discharge_errors=1)
    other = RELEASE.model_copy(update={"subject": "db"})
    async with janitor_worker(time_skipping, janitor):
        await open_lease(time_skipping, order(RELEASE))
        status = await lease(time_skipping).execute_update(Lease.oblige, other)
        assert status.obligations == (RELEASE, other)
        await end_of(time_skipping)
        status = await lease(time_skipping).query(Lease.status)

    assert janitor.discharged == {"web": 1, "db": 1}
    assert "could not release groups web: the group wants 4 hosts" in " ".join(status.alarms)


async def test_what_serves_is_left_alone_and_told_once(time_skipping: WorkflowEnvironment) -> None:
    janitor = FakeJanitor(things={"i-1"}, serving={"i-9"}, stuck={"i-1": 1}, owner_open=False)
    async with janitor_worker(time_skipping, janitor):
        await open_lease(time_skipping)
        residue = await end_of(time_skipping)
        status = await lease(time_skipping).query(Lease.status)

    assert [one.id for one in residue.spared] == ["i-9"]
    assert sum("left alone, for it serves: instance i-9" in alarm for alarm in status.alarms) == 1


async def test_a_cancel_does_not_drop_the_lease(time_skipping: WorkflowEnvironment) -> None:
    janitor = FakeJanitor(things={"i-1"})
    async with janitor_worker(time_skipping, janitor):
        await open_lease(time_skipping)
        await lease(time_skipping).cancel()
        await time_skipping.sleep(MOMENT)
        status = await lease(time_skipping).query(Lease.status)
        assert status.state is LeaseState.HELD
        assert "a cancel changes nothing" in status.alarms[0]
        answer = await lease(time_skipping).execute_update(Lease.close, OWNER)

    assert [one.id for one in answer.removed] == ["i-1"]


async def test_nothing_more_is_taken_on_while_the_run_is_swept(time_skipping: WorkflowEnvironment) -> None:
    janitor = FakeJanitor(things={"i-1"}, owner_open=False, stuck={"i-1": 100})
    async with janitor_worker(time_skipping, janitor):
        await open_lease(time_skipping)
        await time_skipping.sleep(2 * TERM)
        with pytest.raises(WorkflowUpdateFailedError) as late:
            await open_lease(time_skipping)
        with pytest.raises(WorkflowUpdateFailedError):
            await lease(time_skipping).execute_update(Lease.oblige, RELEASE)

    assert "lease/run-1 is sweeping: it takes nothing more on" in str(late.value.cause)


async def test_a_worker_that_dies_in_a_sweep_is_followed_by_one_that_ends_it(
    dev_server: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BRIEF, "heartbeat_timeout", timedelta(seconds=1))
    janitor = FakeJanitor(things={"i-1"}, sweep_gate=asyncio.Event())
    async with janitor_worker(dev_server, janitor):
        await open_lease(dev_server, order(RELEASE))
        closing = await lease(dev_server).start_update(
            Lease.close, OWNER, wait_for_stage=WorkflowUpdateStage.ACCEPTED
        )
        await until(lambda: janitor.begun == 1)
    assert janitor.things, "it was stopped in the middle"

    successor = FakeJanitor(things=janitor.things)
    async with janitor_worker(dev_server, successor):
        residue = await lease(dev_server).result()
        assert await closing.result() == residue

    assert not successor.things
    assert [one.id for one in residue.removed] == ["i-1"]
    assert janitor.discharged + successor.discharged == {"web": 1}


async def test_a_long_lease_goes_on_in_a_new_run_and_forgets_nothing(start_engine: StartEngine) -> None:
    limit = "limit.historyCount.suggestContinueAsNew=30"
    janitor = FakeJanitor()
    async with (
        start_engine(extra_args=["--dynamic-config-value", limit]) as env,
        janitor_worker(env, janitor),
    ):
        short = order(RELEASE).model_copy(update={"term": timedelta(seconds=0.2)})
        await open_lease(env, short)
        first = (await lease(env).describe()).run_id

        async def goes_on() -> bool:
            return (await lease(env).describe()).run_id != first

        await until(goes_on, "a new run")
        await lease(env).signal(Lease.renew, Renewal(hold=timedelta(hours=1)))
        status = await lease(env).query(Lease.status)
        residue = await lease(env).execute_update(Lease.close, OWNER)

    assert status.obligations == (RELEASE,)
    assert status.owner == OWNER
    assert status.alarms
    assert residue.left == ()
    assert janitor.discharged == {"web": 1}
    assert len(janitor.rehearsals) == 1
