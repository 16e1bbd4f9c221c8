"""The report as a page: escaped, complete, and in need of no other file."""

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fakes.campaigns import BEGAN, failure, first_wave, minutes, receipt, second_wave, standing, status
from steadfleet_cli.campaign.report_page import report_page, write_page
from steadfleet_cli.campaign.timeline import LEFT, RIGHT, WIDTH, Scale, spans_of, timeline_svg
from steadfleet_cli.exits import CommandError
from steadfleet_core.campaign.lifecycle import State
from steadfleet_core.campaign.wave import Direction, WaveProgress

EVIL = "<script>alert('x')</script>\"&"


class _Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_every_word_of_a_campaign_is_escaped() -> None:
    evil = standing(
        minutes(9),
        name=EVIL,
        reason=EVIL,
        fleet=EVIL,
        image=EVIL,
        requested_by=EVIL,
        failures=(failure(EVIL),),
        receipts=(receipt(EVIL),),
        warnings=(EVIL,),
        obligations=(EVIL,),
    )

    page = report_page(evil)

    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 10
    assert {tag for tag, _ in _Tags(page).tags}.isdisjoint({"script", "img", "link", "iframe"})


def test_the_page_needs_no_other_file() -> None:
    page = report_page(standing(minutes(9)))

    assert not [attrs for _, attrs in _Tags(page).tags if {"src", "href"} & attrs.keys()]
    assert "url(" not in page
    assert "@import" not in page


def test_the_page_tells_what_happened() -> None:
    page = report_page(standing(minutes(9), state=State.SUCCEEDED))

    for words in ("Campaign web: succeeded", "9m in all", "answered 500", "read it", "lunch", "healthy"):
        assert words in page


def test_the_page_of_an_open_campaign_says_so() -> None:
    assert "still open at 2026-03-01 12:07:00 UTC" in report_page(standing(), now=minutes(7))


def test_a_wave_is_cut_into_changing_and_baking() -> None:
    spans = [(span.kind, span.start, span.end) for span in spans_of(first_wave(), minutes(9))]

    assert spans == [("changing", minutes(0), minutes(2)), ("baking", minutes(2), minutes(5))]


def test_a_wave_under_way_reaches_to_now() -> None:
    assert [(span.kind, span.end) for span in spans_of(second_wave(), minutes(9))] == [
        ("changing", minutes(9))
    ]


def test_a_wave_that_has_not_begun_has_no_span() -> None:
    assert spans_of(WaveProgress(number=3), minutes(9)) == []


def test_a_restore_is_a_span_of_its_own() -> None:
    restoring = second_wave().model_copy(update={"direction": Direction.RESTORE})

    assert [span.kind for span in spans_of(restoring, minutes(9))] == ["restoring"]


def test_bars_stand_where_their_time_is() -> None:
    picture = ET.fromstring(timeline_svg(status(), BEGAN, minutes(10)))
    bars = list(picture.iter("rect"))
    minute = (WIDTH - LEFT - RIGHT) / 10

    assert [bar.get("class") for bar in bars] == ["changing", "baking", "changing"]
    starts = [(float(bar.get("x", 0)) - LEFT) / minute for bar in bars]
    assert starts == pytest.approx([0, 2, 5], abs=0.01)
    assert [float(bar.get("width", 0)) / minute for bar in bars] == pytest.approx([2, 3, 5], abs=0.01)


def test_failures_and_receipts_are_marked() -> None:
    picture = timeline_svg(status(), BEGAN, minutes(10))

    assert re.search(r'class="failed"[^>]*>✗ 1<title>wave 1: 1 failed', picture)
    assert "<title>pause by bob at 2026-03-01 12:01:00 UTC: lunch</title>" in picture


def test_a_moment_outside_stays_on_the_picture() -> None:
    scale = Scale(BEGAN, BEGAN)

    assert (scale.x(minutes(-5)), scale.x(minutes(5))) == (LEFT, WIDTH - RIGHT)


def test_a_page_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        write_page(standing(), tmp_path / "missing" / "page.html")
