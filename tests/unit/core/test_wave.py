"""What a campaign, its waves and its shards call each other, and how hosts are counted."""

from hypothesis import given
from hypothesis import strategies as st

from fakes.plans import IMAGE, plan_of, spec_of
from steadfleet_core.campaign.counts import Counts, tally
from steadfleet_core.campaign.verdict import Verdict
from steadfleet_core.campaign.wave import Direction, ShardOrder, WaveOrder, WaveProgress, WaveReport
from steadfleet_core.fleet import HostState

PLAN, _ = plan_of({"a": 20})
letters = st.text("".join(HostState), max_size=30)


def order(direction: Direction = Direction.CHANGE, attempt: int = 1) -> WaveOrder:
    return WaveOrder(
        campaign="campaign/web",
        run="run",
        plan=PLAN.digest,
        image=IMAGE,
        spec=spec_of(),
        zones=PLAN.zones,
        wave=PLAN.waves[1],
        direction=direction,
        attempt=attempt,
    )


def test_a_waves_id_is_read_from_its_campaign() -> None:
    assert order().workflow_id == "campaign/web/2"
    assert ShardOrder(wave=order(), shard=0).workflow_id == "campaign/web/2/0"


def test_a_retry_and_a_restore_have_ids_of_their_own() -> None:
    ids = {order(direction, attempt).workflow_id for direction in Direction for attempt in (1, 2, 3)}

    assert ids == {
        "campaign/web/2",
        "campaign/web/2.2",
        "campaign/web/2.3",
        "campaign/web/2/rollback",
        "campaign/web/2.2/rollback",
        "campaign/web/2.3/rollback",
    }


def test_a_report_counts_its_letters_over_all_shards_and_has_its_progress_verdict() -> None:
    report = WaveReport(
        progress=WaveProgress(number=1, verdict=Verdict.HEALTHY), states=("cc.", "lc"), stopped=True
    )

    assert [report.letters(state) for state in (HostState.CHANGED, HostState.LOST)] == [3, 1]
    assert report.verdict is Verdict.HEALTHY


@given(letters, st.integers(0, 30))
def test_counts_add_up_to_the_total_less_the_hosts_that_stand_failed(states: str, failed: int) -> None:
    counts = tally([states], failed=failed)
    others = (
        counts.untouched + counts.in_flight + counts.changed + counts.restored + counts.lost + counts.gone
    )

    assert counts.total - others == states.count(HostState.FAILED)
    assert counts.failed == failed


@given(st.lists(letters))
def test_counts_of_shards_add_up_to_the_waves(shards: list[str]) -> None:
    whole = sum((tally([shard], failed=shard.count("f")) for shard in shards), Counts())

    assert whole == tally(shards, failed="".join(shards).count("f"))
