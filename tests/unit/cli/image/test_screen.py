"""The live screen of a build, drawn into text."""

import io

from rich.console import Console

from fakes.builds import minutes, standing, step
from steadfleet_cli.image.screen import standing_screen
from steadfleet_core.image.report import ImageState


def draw(**changes: object) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    shown = standing(steps=(step(),), **changes)  # type: ignore[arg-type]  # what tests name
    console.print(standing_screen(shown, note="retry: accepted", now=minutes(3)))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_the_screen_tells_the_stages_the_step_the_places_and_the_keys() -> None:
    screen = draw()

    for words in (
        "image web 1.4.2  halted  3m",
        "us-east-1: no capacity",
        "✓ building   ✓ testing   ✓ judging   · publishing",
        "… build_image, 3m: packer: Waiting for SSH",
        "✗ nginx answers: answered 502",
        "us-east-1  failed  required",
        "retry: accepted",
        "q leave",
    ):
        assert words in screen


def test_the_stage_under_way_is_marked() -> None:
    screen = draw(state=ImageState.TESTING, examination=None, gate=None, places=())

    assert "✓ building   ▶ testing   · judging" in screen


def test_no_word_of_a_build_is_read_as_markup() -> None:
    assert "[bold]x[/nonsense]" in draw(reason="[bold]x[/nonsense]")


def test_what_only_temporal_knows_is_said_to_be_so() -> None:
    assert "no worker answers" in draw(silent="no worker answers")
