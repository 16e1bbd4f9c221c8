"""Advisories in the OSV format (ossf.github.io/osv-schema), as far as a gate reads them."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from steadfleet_core.errors import RefusedError
from steadfleet_core.image import dpkg
from steadfleet_core.image.cvss import base_score, rating_of
from steadfleet_core.image.golden import Severity

MOST_BYTES = 20_000_000
MOST_ADVISORIES = 50_000
_MOST_PROBLEMS = 10

_WORDS = {
    "negligible": Severity.LOW,
    "unimportant": Severity.LOW,
    "low": Severity.LOW,
    "moderate": Severity.MEDIUM,
    "medium": Severity.MEDIUM,
    "important": Severity.HIGH,
    "high": Severity.HIGH,
    "critical": Severity.CRITICAL,
}

_Item = TypeVar("_Item")
# The schema lets writers leave out or say null.
_List = Annotated[tuple[_Item, ...], BeforeValidator(lambda value: () if value is None else value)]
_Free = Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)]


class _Record(BaseModel):
    """What others write has fields that nothing here needs: they may be there."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(_Record):
    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None

    @property
    def version(self) -> str:
        return self.introduced or self.fixed or self.last_affected or ""


class Range(_Record):
    """Versions from one event to the next; `type` GIT is of commits, which no package has."""

    type: str
    events: _List[Event] = ()

    @cached_property
    def ordered(self) -> list[Event] | None:
        """Return the events by version, as OSV evaluates them; None where a version cannot be read."""
        known = [event for event in self.events if event.version]
        if any(event.version != "0" and not dpkg.readable(event.version) for event in known):
            return None
        return sorted(known, key=lambda event: (event.version != "0", dpkg.order_of(event.version)))


class Package(_Record):
    ecosystem: str
    name: str = Field(min_length=1)

    @property
    def database(self) -> str:
        """Return the ecosystem without its release: `Debian:12` is of `debian`."""
        return self.ecosystem.partition(":")[0].lower()

    def is_for(self, release: str) -> bool:
        """Say whether it may be meant for this release; what names none is for all."""
        named = self.ecosystem.split(":")[1:]
        return not named or not release or release in named


class Score(_Record):
    type: str
    score: str


class Affected(_Record):
    package: Package | None = None
    ranges: _List[Range] = ()
    versions: _List[str] = ()
    severity: _List[Score] = ()
    database_specific: _Free = {}
    ecosystem_specific: _Free = {}


class Advisory(_Record):
    id: str = Field(min_length=1)
    aliases: _List[str] = ()
    upstream: _List[str] = ()
    withdrawn: datetime | None = None
    severity: _List[Score] = ()
    affected: _List[Affected] = ()
    database_specific: _Free = {}

    @cached_property
    def names(self) -> frozenset[str]:
        """Return what it is known by. Of one upstream it is the same thing; of several it is a bundle."""
        upstream = self.upstream if len(self.upstream) == 1 else ()
        return frozenset({self.id, *self.aliases, *upstream})

    def severity_of(self, affected: Affected) -> Severity | None:
        """Return the highest that is stated; None where nothing that can be computed is."""
        scores = (base_score(one.score) for one in (*self.severity, *affected.severity))
        rated = [rating_of(score) for score in scores if score is not None]
        places = (self.database_specific, affected.database_specific, affected.ecosystem_specific)
        said = [_word(place.get(key)) for place in places for key in ("severity", "urgency")]
        said += [_word(one.score) for one in (*self.severity, *affected.severity)]
        return max((*rated, *filter(None, said)), key=lambda severity: severity.rank, default=None)


def _word(said: object) -> Severity | None:
    return _WORDS.get(said.strip("* ").lower()) if isinstance(said, str) else None


def read_advisories(content: bytes, source: str) -> tuple[Advisory, ...]:
    """Read one advisory or a list; raises `RefusedError` that names the file, the entry and its field."""
    if len(content) > MOST_BYTES:
        raise RefusedError(f"{source}: has {len(content)} bytes: expected at most {MOST_BYTES}")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RefusedError(
            f"{source}: is not JSON: {error}; expected advisories in the OSV format"
        ) from error
    entries = document if isinstance(document, list) else [document]
    if len(entries) > MOST_ADVISORIES:
        raise RefusedError(f"{source}: holds {len(entries)} advisories: expected at most {MOST_ADVISORIES}")
    advisories: list[Advisory] = []
    problems: list[str] = []
    for number, entry in enumerate(entries):
        try:
            advisories.append(Advisory.model_validate(entry))
        except ValidationError as error:
            problems += [f"{source}: {_entry(number, entry)}{line}" for line in _lines(error)]
    if problems:
        more = [f"{source}: and {len(problems) - _MOST_PROBLEMS} problems more"]
        raise RefusedError("\n".join(problems[:_MOST_PROBLEMS] + more * (len(problems) > _MOST_PROBLEMS)))
    return tuple(advisories)


def _entry(number: int, entry: object) -> str:
    named = entry.get("id") if isinstance(entry, Mapping) else None
    return (
        f"entry {number} ({named})" if isinstance(named, str) and named.isprintable() else f"entry {number}"
    )


def _lines(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False, include_input=False):
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"])
        yield f"{path}: {problem['msg'].lower()}; expected the OSV format"
