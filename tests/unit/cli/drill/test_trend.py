"""A drill beside the past ones: what is compared, and what is called worse."""

from datetime import timedelta
from xml.etree import ElementTree as ET

from unit.cli.drill.page_reading import part, pictures, words_of

from fakes.drill_reports import days_before, drill_report, loss, observation
from steadfleet_cli.drill.report_page import write_page
from steadfleet_cli.drill.trend import (
    drills_of,
    loss_points,
    measured,
    recovery_points,
    regressions,
)
from steadfleet_cli.drill.trend_picture import MOST_SHOWN, trend_svg
from steadfleet_core.drill.plan import Objectives, Strategy
from steadfleet_core.drill.report import CheckResult


def test_a_first_drill_says_so() -> None:
    page = write_page(drill_report())

    assert words_of(part(page, "trend")).startswith("Trend This is the first drill of this plan")
    assert not pictures(page, "trend")


def test_a_slow_recovery_is_held_against_the_median_of_the_last_five() -> None:
    past = [days_before(60 - 7 * n, recovered) for n, recovered in enumerate((900, 300, 310, 330, 320, 800))]

    assert regressions(drill_report(), past) == [
        "recovery took 8m30s: 1.6 times the median of the last 5, 5m20s"
    ]
    assert "Worse: recovery took 8m30s" in write_page(drill_report(), past)


def test_one_past_drill_is_no_median() -> None:
    assert regressions(drill_report(), [days_before(7, 255)]) == [
        "recovery took 8m30s: 2.0 times that of the one before, 4m15s"
    ]


def test_what_differs_from_day_to_day_is_no_regression() -> None:
    past = [days_before(7, 480)]

    assert regressions(drill_report(), past) == []
    assert "Nothing got worse, beside the one before." in write_page(drill_report(), past)


def test_what_the_witness_cannot_tell_is_no_regression() -> None:
    now = drill_report(observations=(observation(recovered=110),))
    blind = observation(recovered=110).model_copy(update={"longest_gap": timedelta(seconds=40)})

    assert len(regressions(now, [days_before(7, 80)])) == 1
    assert regressions(drill_report(observations=(blind,)), [days_before(7, 80)])[0].startswith("recovery: ")


def test_only_drills_of_the_same_plan_are_compared_oldest_first() -> None:
    other = days_before(3, plan="other-dr")
    now = drill_report()

    assert drills_of(now, [days_before(7), now, other, days_before(14)]) == [days_before(14), days_before(7)]
    assert "first drill" in write_page(now, [other, now])


def test_times_of_another_strategy_are_not_compared() -> None:
    assert regressions(drill_report(), [days_before(7, 60, strategy=Strategy.WARM_STANDBY)]) == []


def test_losing_more_is_worse() -> None:
    now = drill_report(losses=(loss(oldest_lost_age=timedelta(seconds=6)),))
    none = loss(lost=0, oldest_lost_age=timedelta(0))

    assert regressions(now, [days_before(7, 500)]) == [
        "the oldest lost write is 6s old: 5.0 times that of the one before, 1.2s"
    ]
    assert regressions(now, [days_before(7, 500, losses=(none,))]) == [
        "12 writes were lost, the oldest 6s old; that of the one before is none"
    ]


def test_a_verdict_that_was_better_is_named() -> None:
    now = drill_report(residue=("volume vol-1",), losses=())

    assert regressions(now, [days_before(7, 500)]) == [
        "data: not proven; it passed in the last drill, of 2026-02-28",
        "clean-up: failed; it passed in the last drill, of 2026-02-28",
    ]


def test_what_is_looked_at_no_longer_is_named() -> None:
    check = CheckResult(name="front page", type="http", passed=True)
    now = drill_report(validations=(check,), stores=())

    assert regressions(now, [days_before(7, 500)]) == [
        "validation order count passed on 2026-02-28 and was not carried out in this drill",
        "orders was in the drill of 2026-02-28 and is not in this one",
    ]


def test_the_loss_of_a_drill_is_that_of_all_its_stores() -> None:
    more = loss(store="users", lost=3, oldest_lost_age=timedelta(hours=2), covered=timedelta(hours=2))
    known = measured((loss(), more, loss(store="third", problem="no answer")))

    assert known is not None
    assert (known.lost, known.acknowledged, known.words) == (15, 72000, "at least 2h")
    assert measured((loss(problem="no answer"),)) is None


def test_points_stand_under_their_objective_and_show_their_verdict() -> None:
    drills = [days_before(14, 1000), days_before(7, 300, losses=()), drill_report()]
    dots = list(ET.fromstring(trend_svg(recovery_points(drills), "RTO", "recovery time")).iter("circle"))
    line = next(
        one
        for one in ET.fromstring(trend_svg(recovery_points(drills), "RTO", "recovery time")).iter("line")
        if one.get("class") == "rto"
    )
    above = [float(dot.get("cy", "nan")) < float(line.get("y1", "nan")) for dot in dots]

    assert [dot.get("class") for dot in dots] == ["dot failed", "dot passed", "dot passed"]
    assert above == [True, False, False]


def test_what_was_not_measured_is_not_joined_by_a_line() -> None:
    drills = [days_before(21), days_before(14), days_before(7, losses=()), drill_report()]
    picture = ET.fromstring(trend_svg(loss_points(drills), "RPO", "loss"))

    assert len([one for one in picture.iter("line") if one.get("class") == "joint"]) == 1
    assert "not measured" in "".join(picture.itertext())


def test_each_drill_is_held_against_the_objective_of_its_time() -> None:
    strict = Objectives(rto=timedelta(minutes=1), rpo=timedelta(minutes=5))
    drills = [days_before(7, 300, objectives=strict), drill_report()]
    picture = ET.fromstring(trend_svg(recovery_points(drills), "RTO", "recovery time"))
    heights = [float(one.get("y1", "nan")) for one in picture.iter("line") if one.get("class") == "rto"]

    assert heights[0] > heights[1]


def test_a_long_past_is_cut_and_said() -> None:
    past = [days_before(7 * number) for number in range(1, 31)]
    page = write_page(drill_report(), past)

    assert f"The last {MOST_SHOWN} of 31 drills." in page
    assert len(list(pictures(page, "trend")[0].iter("circle"))) == MOST_SHOWN


def test_a_far_objective_does_not_flatten_the_trend() -> None:
    far = Objectives(rto=timedelta(hours=24), rpo=timedelta(minutes=5))
    drills = [days_before(7, 100, objectives=far), drill_report(objectives=far)]
    picture = ET.fromstring(trend_svg(recovery_points(drills), "RTO", "recovery time"))
    low, high = (float(dot.get("cy", "nan")) for dot in picture.iter("circle"))

    assert low - high > 20
    assert "RTO 1d, far above: not to scale" in "".join(picture.itertext())
