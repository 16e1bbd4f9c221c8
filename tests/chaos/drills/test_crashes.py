"""Whoever dies in whatever step of a drill: it comes to the right verdict, once, and leaves nothing."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from chaos.drills.deaths import Death, Deaths
from chaos.drills.lost import Losses
from chaos.drills.rehearsal import Rehearsal, proven
from chaos.drills.stage import Stage, staged
from chaos.drills.steps import LIVE_STEPS, MADE, STEPS

from steadfleet_core.drill.plan import Strategy
from steadfleet_core.drill.report import DrillState, DrillStatus
from steadfleet_core.drill.verdict import Verdict

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.timeout(300)]

RECOVERED = {
    "recovery": Verdict.PASSED,
    "data": Verdict.PASSED,
    "clean-up": Verdict.PASSED,
    # The local cloud's machines are processes of one host, which cannot be kept apart.
    "isolation": Verdict.NOT_PROVEN,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


async def made_once_and_gone(stage: Stage, rehearsal: Rehearsal, status: DrillStatus) -> None:
    assert status.state is DrillState.NOT_PROVEN
    assert dict(stage.creates(rehearsal)) == dict.fromkeys(MADE[status.strategy], 1)
    assert stage.machines(rehearsal) == 1
    assert (await stage.lease_of(rehearsal)).left == ()
    assert await stage.residue() == ()


async def test_driller_killed_in_every_step_and_the_janitor_as_it_tears_down(stage: Stage) -> None:
    driller, janitor = stage.workers["driller"], stage.workers["janitor"]
    deaths = {moment: Death((driller,)) for moment in STEPS.values()}
    deaths[STEPS["measuring"]] = Death((driller,), "continue")  # the call is the witness's, who lives
    deaths[STEPS["tearing down"]] = Death((driller, janitor))
    await stage.look()
    async with stage.spared():
        with Deaths(stage.cloud, deaths).awaited():
            rehearsal = await stage.start()
            status = await rehearsal.report()

    assert proven(status) == RECOVERED, status.judgement
    await made_once_and_gone(stage, rehearsal, status)


async def test_witness_killed_as_it_declares_watches_and_measures(stage: Stage) -> None:
    """It says that it was blind: what it did not see is not proven, however well it went."""
    driller, witness = stage.workers["driller"], stage.workers["witness"]
    deaths = {
        LIVE_STEPS["replicate"]: Death((driller,)),
        LIVE_STEPS["declare"]: Death((witness,)),
        LIVE_STEPS["promote"]: Death((driller,)),
        STEPS["start"]: Death((witness,), "continue"),
        STEPS["measuring"]: Death((witness,)),
    }
    await stage.look()
    async with stage.spared():
        with Deaths(stage.cloud, deaths).awaited():
            rehearsal = await stage.start(strategy=Strategy.PILOT_LIGHT, probing={"interval": "0.2s"})
            status = await rehearsal.report()

    assert proven(status) == {**RECOVERED, "recovery": Verdict.NOT_PROVEN}, status.judgement
    assert status.judgement is not None
    assert status.judgement.recovery.reasons[0].startswith("web: the witness was blind for ")
    assert [loss.lost for loss in status.losses] == [0], "a live copy that was promoted has all"
    await made_once_and_gone(stage, rehearsal, status)


async def test_engine_killed_in_the_midst_of_a_step_and_of_the_teardown(stage: Stage) -> None:
    death = Death((stage.engine,), "continue")
    await stage.look()
    async with stage.spared():
        with Deaths(stage.cloud, {STEPS["restore"]: death, STEPS["tearing down"]: death}).awaited():
            rehearsal = await stage.start()
            status = await rehearsal.report()

    assert proven(status) == RECOVERED, status.judgement
    await made_once_and_gone(stage, rehearsal, status)


async def test_answer_of_every_change_lost(stage: Stage) -> None:
    await stage.look()
    with Losses(stage.cloud).awaited() as losses:
        rehearsal = await stage.start()
        status = await rehearsal.report()

    assert losses.lost >= MADE[Strategy.BACKUP_RESTORE] | {"DeleteDBInstance", "DeleteAutoScalingGroup"}
    assert proven(status) == RECOVERED, status.judgement
    await made_once_and_gone(stage, rehearsal, status)
