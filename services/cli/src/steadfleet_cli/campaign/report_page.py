"""A campaign's report as one HTML page that needs no other file."""

from pathlib import Path

from steadfleet_cli.campaign.reading import Standing


def write_page(standing: Standing, file: Path) -> str:
    raise NotImplementedError
