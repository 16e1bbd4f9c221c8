"""The picture of a drill: what stands where, and what is drawn how."""

from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from fakes.drill_reports import DECLARED, at, drill_report, observation, pilot_light_steps, step
from steadfleet_cli.drill.breakdown import breakdown_svg
from steadfleet_cli.drill.clock_scale import LEFT, RIGHT, WIDTH, scale_of
from steadfleet_cli.drill.timeline import timeline_svg
from steadfleet_core.drill.measuring import Observation
from steadfleet_core.drill.plan import Objectives
from steadfleet_core.drill.report import DrillReport
from steadfleet_core.drill.steps import StepKind, StepState


def picture(report: DrillReport) -> ET.Element:
    return ET.fromstring(timeline_svg(report))


def bars(report: DrillReport, kind: str) -> list[ET.Element]:
    return [one for one in picture(report).iter("rect") if kind in (one.get("class") or "").split()]


def told(bar: ET.Element) -> str:
    return bar.findtext("title", "")


def span(bar: ET.Element) -> tuple[float, float]:
    x, width = (float(bar.get(name, "nan")) for name in ("x", "width"))
    return x, x + width


def test_bars_stand_where_their_time_is() -> None:
    report = drill_report()
    scale = scale_of(report)
    start, end = span(next(bar for bar in bars(report, "start") if told(bar).startswith("start shop: ")))

    assert start == pytest.approx(scale.x(at(214)), abs=0.1)
    assert end == pytest.approx(scale.x(at(480)), abs=0.1)
    second = (scale.x(at(900)) - scale.x(at(0))) / 900
    assert (end - start) / second == pytest.approx(266, abs=0.5)


def test_steps_before_the_clock_are_hatched_and_left_of_the_declared_start() -> None:
    report = drill_report()
    standing = bars(report, "standing")

    assert [told(bar).split(":")[0] for bar in standing] == ["isolate", "replicate orders"]
    assert all(span(bar)[1] < scale_of(report).x(DECLARED) for bar in standing)
    assert len([one for one in picture(report).iter("line") if one.get("class") == "hatch"]) == 2


def test_the_critical_path_is_highlighted_and_covers_the_recovery_time() -> None:
    report = drill_report()
    marked = [told(bar).split(":")[0] for bar in bars(report, "critical")]
    path = [bar for bar in bars(report, "phase") if "(" in told(bar)]

    assert marked == ["restore orders", "start shop"]
    assert [told(bar).split(" (")[0] for bar in path] == [
        "decide",
        "restore orders",
        "decide",
        "start shop",
        "validate",
    ]
    scale = scale_of(report)
    assert (span(path[0])[0], span(path[-1])[1]) == pytest.approx((scale.x(at(0)), scale.x(at(510))), abs=0.2)


def test_the_recovery_is_marked_with_its_uncertainty() -> None:
    report = drill_report()
    scale = scale_of(report)
    (band,) = bars(report, "uncertain")
    (line,) = (one for one in picture(report).iter("line") if one.get("class") == "recovered")

    assert span(band) == pytest.approx((scale.x(at(504)), scale.x(at(516))), abs=0.2)
    assert float(line.get("x1", "nan")) == scale.x(at(510))
    assert "recovered after 8m30s ± 6s" in "".join(picture(report).itertext())


def test_good_probes_are_full_bars_and_bad_ones_low() -> None:
    report = drill_report()
    good, bad = ({bar.get("height") for bar in bars(report, kind)} for kind in ("good", "bad"))

    assert (len(bars(report, "good")), len(bars(report, "bad"))) == (2, 2)
    assert good.isdisjoint(bad)
    assert "bad: connection refused" in told(bars(report, "bad")[0])


def test_hours_before_and_after_do_not_squeeze_the_clock() -> None:
    steps = (step(StepKind.ISOLATE, "", -90000, -80000), *pilot_light_steps()[1:])
    report = drill_report(90000, steps=steps, started_at=at(-90000))
    scale = scale_of(report)

    assert scale.x(at(900)) - scale.x(at(0)) > (WIDTH - LEFT - RIGHT) / 2
    assert [piece.squeezed for piece in scale.pieces] == [True, False, True]
    assert len(bars(report, "squeezed")) == 2


def test_a_far_objective_does_not_squeeze_the_clock() -> None:
    report = drill_report(objectives=Objectives(rto=timedelta(hours=24), rpo=timedelta(minutes=5)))
    scale = scale_of(report)

    assert scale.x(at(510)) - scale.x(at(0)) > (WIDTH - LEFT - RIGHT) / 3
    assert scale.x(at(24 * 3600)) == WIDTH - RIGHT


@pytest.mark.parametrize("ended", [-2000, 0, 510, 900, 5000, 10**6])
@pytest.mark.parametrize("rto", [1, 500, 900, 10**6])
def test_later_moments_never_stand_further_left(ended: float, rto: int) -> None:
    report = drill_report(ended, objectives=Objectives(rto=timedelta(seconds=rto), rpo=timedelta(minutes=5)))
    scale = scale_of(report)
    places = [scale.x(at(second)) for second in range(-3000, 7000, 50)]

    assert places == sorted(places)
    assert (min(places) >= LEFT, max(places) <= WIDTH - RIGHT) == (True, True)
    assert len(list(scale.ticks())) <= 40


def test_what_was_not_done_is_drawn_as_such() -> None:
    steps = list(pilot_light_steps())
    steps[3] = steps[3].model_copy(update={"state": StepState.SKIPPED})
    steps[4] = steps[4].model_copy(update={"state": StepState.FAILED})
    report = drill_report(steps=tuple(steps))
    said = "".join(picture(report).itertext())

    assert {told(bar).split(":")[0] for bar in bars(report, "undone")} == {"provision shop", "start shop"}
    assert "skipped, 1m23s" in said
    assert "✗ failed, 4m26s" in said


def test_a_service_that_was_never_probed_has_an_empty_row() -> None:
    blind = Observation(
        service="shop", declared_at=DECLARED, interval=timedelta(seconds=5), successes=3, probes=0
    )
    report = drill_report(observations=(blind,))

    assert "probes of shop" in "".join(picture(report).itertext())
    assert not bars(report, "good")
    assert not bars(report, "uncertain")


def test_the_service_that_recovers_last_gives_the_uncertainty() -> None:
    early = observation("api", recovered=100).model_copy(update={"longest_gap": timedelta(seconds=77)})
    report = drill_report(observations=(early, observation()))

    assert "recovered after 8m30s ± 6s" in "".join(picture(report).itertext())


def test_a_long_name_is_cut_and_told_in_full() -> None:
    name = "a-service-with-a-very-long-name"
    report = drill_report(steps=(step(StepKind.PROVISION, name, 0, 60),))
    labels = [one for one in picture(report).iter("text") if one.findtext("title") == f"provision {name}"]

    assert [one.text for one in labels] == ["▸ provision a-service-with-a…"]


def test_the_breakdown_is_to_scale() -> None:
    path = drill_report().status.critical_path
    widths = [float(one.get("width", "nan")) for one in ET.fromstring(breakdown_svg(path)).iter("rect")]

    assert widths[:4] == pytest.approx([960 * part / 510 for part in (16, 198, 266, 30)], abs=0.1)
    assert breakdown_svg(()) == ""
