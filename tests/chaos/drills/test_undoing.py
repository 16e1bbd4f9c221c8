"""A drill that is terminated, aborted or cancelled, in whatever step, leaves nothing."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from chaos.drills.rehearsal import Rehearsal
from chaos.drills.stage import HERE, Stage, staged
from chaos.drills.steps import LIVE_STEPS, STEPS
from chaos.moments import Moment

from steadfleet_core.drill.plan import Strategy
from steadfleet_core.drill.report import DrillState
from steadfleet_core.drill.verdict import Verdict

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.timeout(300)]

UNNAMED = {"CreateHostedZone", "SendCommand"}
"""Calls whose parameters, as they are taken down, do not name the run."""

OFTEN = {"interval": "0.2s", "successes": 1}
"""For drills whose verdict nobody asks for."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


def own(moment: Moment, rehearsal: Rehearsal) -> Moment:
    """Mean this drill's call where it names its run: janitor and driller still act for the others."""
    return moment if moment.having or moment.action in UNNAMED else replace(moment, having=rehearsal.run)


async def test_terminated_in_every_step(stage: Stage) -> None:
    """One after another, each while the leases of those before still act."""
    await stage.look()
    rehearsals: dict[str, Rehearsal] = {}
    for step, moment in {**STEPS, **LIVE_STEPS}.items():
        strategy = Strategy.PILOT_LIGHT if step in LIVE_STEPS else Strategy.BACKUP_RESTORE
        rehearsal = rehearsals[step] = await stage.start(strategy=strategy, probing=OFTEN)
        stop = await stage.at(rehearsal, own(moment, rehearsal))
        await rehearsal.handle.terminate()
        stop.let_go("drop")
        assert await rehearsal.failed() == "TerminatedError"

    for step, rehearsal in rehearsals.items():
        lease = await stage.lease_of(rehearsal)
        assert lease.left == (), step
        assert lease.removed, step
    assert await stage.residue() == ()


@pytest.mark.parametrize("step", ["restore", "validating"])
async def test_aborted(stage: Stage, step: str) -> None:
    await stage.look()
    rehearsal = await stage.start()
    stop = await stage.at(rehearsal, STEPS[step])
    await rehearsal.abort()
    stop.let_go()
    status = await rehearsal.report()

    assert status.state is DrillState.ABORTED
    assert status.aborted == "aborted by chaos: enough"
    assert status.judgement is not None
    assert status.judgement.recovery.verdict is Verdict.NOT_PROVEN
    assert status.judgement.cleanup.verdict is Verdict.PASSED
    assert status.residue == ()
    assert await stage.residue() == ()


@pytest.mark.parametrize("step", ["provision", "start"])
async def test_cancelled(stage: Stage, step: str) -> None:
    await stage.look()
    rehearsal = await stage.start()
    stop = await stage.at(rehearsal, STEPS[step])
    await rehearsal.handle.cancel()
    stop.let_go()

    assert await rehearsal.failed() == "CancelledError"
    assert (await stage.lease_of(rehearsal)).left == ()
    assert await stage.residue() == ()


async def test_driller_that_copies_a_snapshot_without_the_tag_of_its_run_is_noticed(stage: Stage) -> None:
    """It says itself that nothing is left; the comparison says otherwise."""
    await stage.look()
    async with stage.program("driller", HERE / "nameless_driller.py"):
        rehearsal = await stage.start()
        status = await rehearsal.report()
        found = await stage.residue()

    assert status.residue == ()
    kinds = {sentence.partition(" ")[0] for sentence in found}
    assert kinds == {"database_snapshots", "database_content"}, found


async def test_janitor_that_forgets_databases_is_noticed(stage: Stage) -> None:
    await stage.look()
    async with stage.program("janitor", HERE / "forgetful_janitor.py"):
        rehearsal = await stage.start()
        status = await rehearsal.report()
        found = await stage.residue()

    assert status.residue == ()
    kinds = {sentence.partition(" ")[0] for sentence in found}
    assert kinds == {"databases", "database_content", "database_snapshots", "database_subnet_groups"}, found
