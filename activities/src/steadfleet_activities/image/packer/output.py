r"""Read what `packer -machine-readable` writes: `epoch,target,type,data…`, one event a line.

In the data a comma is written `%!(PACKER_COMMA)`, a newline `\n` and a carriage return `\r`. A
backslash is not escaped, so a text that itself holds `\n` cannot be told from one with a newline.

>>> read_line(b"1795245953,web,artifact,0,id,us-east-1:ami-0abc")
Artifact(at=1795245953, target='web', index=0, key='id', values=('us-east-1:ami-0abc',))
"""

import re
from collections.abc import Iterable
from enum import StrEnum

from steadfleet_core.model import Model

MOST_BYTES = 1 << 20
"""Of a line; what is longer is cut, for a script can print what it likes."""
_MOST_ERRORS = 20
_MOST_ERROR_TEXT = 2_000
_CUT = " … (cut: the log has all of it)"
_AMI = re.compile(r"(?P<region>[a-z]{2,}(?:-[a-z]+)+-[0-9]+):(?P<image>ami-[0-9a-f]+)")
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
_NUMBER = re.compile(r"[0-9]{1,12}", re.ASCII)
_MOST_FIELDS = 64


class Kind(StrEnum):
    """Of a line for people. `ERROR` is also what a provisioner's script writes to its stderr."""

    SAY = "say"
    MESSAGE = "message"
    ERROR = "error"


class Event(Model):
    """`at` is packer's own clock, in seconds since 1970; `target` the build, if the event is of one."""

    at: int | None = None
    target: str = ""


class Ui(Event):
    kind: Kind
    text: str


class Artifact(Event):
    index: int
    key: str
    values: tuple[str, ...]


class ArtifactCount(Event):
    count: int


class Error(Event):
    text: str


class ErrorCount(Event):
    count: int


class Other(Event):
    """What this release does not know; a line that is no event at all has an empty `type`."""

    type: str
    data: tuple[str, ...]


class Outcome(Model):
    """
    What a run made and what went wrong, as far as its output tells; a success is exit status 0.

    `amis` are image ids by region; `image_id` is a Docker image's. `errors` are packer's own words:
    those of the build, or else those about the template or an interruption.
    """

    amis: dict[str, str] = {}
    image_id: str | None = None
    errors: tuple[str, ...] = ()


class Parser:
    """Turns chunks of bytes, cut anywhere, into events."""

    def __init__(self) -> None:
        self._begun = bytearray()

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that `data` completes."""
        *lines, rest = data.split(b"\n")
        events = []
        for line in lines:
            self._keep(line)
            events.append(self._complete())
        self._keep(rest)
        return events

    def close(self) -> list[Event]:
        """Return the event of a last line that has no end."""
        return [self._complete()] if self._begun else []

    def _keep(self, data: bytes) -> None:
        self._begun += data[: MOST_BYTES - len(self._begun)]

    def _complete(self) -> Event:
        line = bytes(self._begun)
        self._begun.clear()
        return read_line(line)


class Summary:
    """Gathers an outcome from events, without keeping them."""

    def __init__(self) -> None:
        self._amis: dict[str, str] = {}
        self._image_id: str | None = None
        self._of_builds: dict[str, None] = {}
        self._of_packer: dict[str, None] = {}

    def note(self, event: Event) -> None:
        match event:
            # Artifact 0 is the builder's; later ones are post-processors', which may repeat it as a tag.
            case Artifact(index=0, key="id", values=[identity, *_]):
                self._note_artifact(identity)
            case Error(text=text):
                _remember(self._of_builds, text)
            # A build's own lines are its scripts' stderr, or come again as its error.
            case Ui(kind=Kind.ERROR, text=text) if not text.startswith("==> "):
                _remember(self._of_packer, text)
            case _:
                pass

    def outcome(self) -> Outcome:
        errors = self._of_builds or self._of_packer
        return Outcome(amis=dict(self._amis), image_id=self._image_id, errors=tuple(errors))

    def _note_artifact(self, identity: str) -> None:
        for pair in identity.split(","):
            if found := _AMI.fullmatch(pair):
                self._amis[found["region"]] = found["image"]
        if _IMAGE_ID.fullmatch(identity):
            self._image_id = identity


def outcome(events: Iterable[Event]) -> Outcome:
    summary = Summary()
    for event in events:
        summary.note(event)
    return summary.outcome()


def read_line(line: bytes) -> Event:
    """Read one line, without its end; whatever it holds, it is an event."""
    text = line.decode("utf-8", "replace").rstrip("\r")
    at, *fields = text.split(",", _MOST_FIELDS)
    if not _NUMBER.fullmatch(at) or len(fields) < 2:  # noqa: PLR2004  # target and type
        return Other(type="", data=(text,))
    target, kind, *data = fields
    return _typed(int(at), target, kind, tuple(unescape(field) for field in data))


def unescape(field: str) -> str:
    return field.replace("%!(PACKER_COMMA)", ",").replace("\\n", "\n").replace("\\r", "\r")


def step_of(event: Event) -> str | None:
    """Say in one line what a build is doing now, if this event tells: `Waiting for AMI to be ready...`."""
    if not isinstance(event, Ui) or event.kind is not Kind.SAY:
        return None
    said = re.fullmatch(r"==> \S+(?: \([^)]*\))?: (.+)", event.text.strip())
    return said[1] if said else None


def _typed(at: int, target: str, kind: str, data: tuple[str, ...]) -> Event:
    match kind, data:
        case "ui", (Kind.SAY | Kind.MESSAGE | Kind.ERROR as of, text):
            return Ui(at=at, target=target, kind=Kind(of), text=text)
        case "artifact", (index, key, *values) if _NUMBER.fullmatch(index):
            return Artifact(at=at, target=target, index=int(index), key=key, values=tuple(values))
        case "artifact-count", (count,) if _NUMBER.fullmatch(count):
            return ArtifactCount(at=at, target=target, count=int(count))
        case "error", (text,):
            return Error(at=at, target=target, text=text)
        case "error-count", (count,) if _NUMBER.fullmatch(count):
            return ErrorCount(at=at, target=target, count=int(count))
        case _:
            return Other(at=at, target=target, type=kind, data=data)


def _remember(errors: dict[str, None], text: str) -> None:
    words = text.strip()
    if words and len(errors) < _MOST_ERRORS:
        errors[words if len(words) <= _MOST_ERROR_TEXT else words[:_MOST_ERROR_TEXT] + _CUT] = None
