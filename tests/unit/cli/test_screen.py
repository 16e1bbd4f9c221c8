"""The live screen, drawn into text."""

import io

import pytest
from rich.console import Console

from fakes.campaigns import status
from steadfleet_cli.campaign.screen import status_screen
from steadfleet_core.campaign.counts import Counts
from steadfleet_core.campaign.lifecycle import State
from steadfleet_core.campaign.wave import WaveProgress


def draw(**changes: object) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    console.print(status_screen(status(**changes), note="pause: accepted"))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_each_wave_has_a_bar_counts_and_words() -> None:
    lines = draw().splitlines()

    first = next(line for line in lines if line.startswith("wave 1"))
    assert "━" in first
    assert [part.strip() for part in first.split("  ") if part][2:] == ["3 of 4", "1 failed", "healthy"]
    assert any(line.startswith("wave 3") and line.rstrip().endswith("not begun") for line in lines)


def test_the_screen_tells_failures_the_note_and_the_keys() -> None:
    screen = draw(state=State.HALTED, reason="wave 1 is unhealthy")

    for words in (
        "halted",
        "wave 1 is unhealthy",
        "✗ i-1",
        "campaign retry web",
        "pause: accepted",
        "q leave",
    ):
        assert words in screen


def test_no_word_of_a_campaign_is_read_as_markup() -> None:
    assert "[bold]x[/nonsense]" in draw(reason="[bold]x[/nonsense]")


@pytest.mark.parametrize("counts", [Counts(), Counts(total=1, lost=1)])
def test_a_wave_without_hosts_or_with_lost_ones_is_drawn(counts: Counts) -> None:
    assert "wave 1" in draw(waves=(WaveProgress(number=1, counts=counts),))
