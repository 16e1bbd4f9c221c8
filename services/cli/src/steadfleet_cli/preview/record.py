"""What is written of a preview on this machine: whose it is, where it is, and until when."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.preview.place import Place, Where

_FILE = "preview.json"


@dataclass(frozen=True)
class Record:
    """One preview of this machine."""

    change: str
    where: Where
    until: datetime

    @classmethod
    def parse(cls, text: str) -> Self:
        said = json.loads(text)
        return cls(said["change"], Where(said["where"]), datetime.fromisoformat(said["until"]))


def write(folder: Path, place: Place, until: datetime) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    said = {"change": place.change, "where": place.where.value, "until": until.isoformat()}
    draft = folder / f"{_FILE}.draft"
    draft.write_text(json.dumps(said) + "\n")
    draft.replace(folder / _FILE)


def read(folder: Path) -> Record | None:
    try:
        return Record.parse((folder / _FILE).read_text())
    except FileNotFoundError:
        return None


def overdue(root: Path, now: datetime) -> dict[Path, Record]:
    """Return the previews under `root` whose time is over, by folder."""
    folders = [file.parent for file in sorted(root.glob(f"*/{_FILE}"))]
    found = {folder: one for folder in folders if (one := read(folder))}
    return {folder: one for folder, one in found.items() if one.until <= now}


def refuse_left(late: list[Record]) -> None:
    """Name the overdue previews on servers that nothing was said of this time."""
    if late:
        raise CommandError(
            "left: " + ", ".join(f"preview {one.change}, at the place {one.where}" for one in late),
            ExitCode.NOT_SUCCEEDED,
            "say where that is as when it was brought up, and `steadfleet preview down CHANGE`",
        )


def refuse_elsewhere(folder: Path, place: Place) -> None:
    """Refuse a preview that is known to be at another place: what is there would be left behind."""
    known = read(folder)
    if known and known.where is not place.where:
        raise CommandError(
            f"preview {place.change} is at the place {known.where}, and now {place.because}: {place.where}",
            ExitCode.REFUSED,
            "say again what was said when it was brought up, and tear it down there first",
        )
