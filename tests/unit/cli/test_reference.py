"""`docs/cli.md` is what the commands say of themselves."""

from pathlib import Path

from steadfleet_cli.reference import reference


def test_the_page_is_current() -> None:
    assert Path("docs/cli.md").read_text() == reference(), (
        "docs/cli.md is stale: run `python -m steadfleet_cli.reference > docs/cli.md`"
    )
