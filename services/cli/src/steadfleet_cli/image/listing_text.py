"""The list of images as text and as JSON values."""

from collections.abc import Iterator

from steadfleet_cli.executions import Execution
from steadfleet_cli.image.listing import Catalogue
from steadfleet_cli.output import clock, dump, table
from steadfleet_core.image.channel import Assignment, ChannelStatus
from steadfleet_ports.image import ListedImage
from steadfleet_workflows.visibility import REASON, STATE

_REPORTED = {"running", "completed", "failed", "canceled"}


def catalogue_text(catalogue: Catalogue) -> str:
    return "\n".join(_lines(catalogue))


def _lines(catalogue: Catalogue) -> Iterator[str]:
    yield "builds"
    yield _table(("family", "version", "state", "started", "reason"), map(_build_row, catalogue.builds))
    yield "\nreleased"
    rows = (_image_row(image, catalogue.channels) for image in catalogue.images)
    yield _table(("family", "version", "place", "image", "created", "attestations", "channels"), rows)
    yield "\nchannels"
    yield _table(
        ("family", "channel", "version", "since", "by", "waits"), map(_channel_row, catalogue.channels)
    )
    yield from (f"\nnote: {note}" for note in catalogue.notes)


def _table(heading: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    found = list(rows)
    text = table([heading, *found]) if found else "none"
    return "\n".join(f"  {line}" for line in text.splitlines())


def _build_row(build: Execution) -> tuple[str, ...]:
    _, family, version = build.workflow_id.split("/", 2)
    return family, version, built_state(build), clock(build.started_at), build.word(REASON.name)


def built_state(build: Execution) -> str:
    """Trust the build's own word only while Temporal's does not contradict it."""
    said = build.word(STATE.name)
    return said if said and build.status in _REPORTED else build.status


def _image_row(image: ListedImage, channels: tuple[ChannelStatus, ...]) -> tuple[str, ...]:
    return (
        image.family,
        image.version,
        image.place,
        image.id,
        clock(image.created_at) if image.created_at else "",
        str(image.attestations),
        ", ".join(_pointing(image, channels)),
    )


def _pointing(image: ListedImage, channels: tuple[ChannelStatus, ...]) -> list[str]:
    here = (image.family, image.version)
    return [channel.channel.value for channel in channels if (channel.family, channel.version) == here]


def _channel_row(channel: ChannelStatus) -> tuple[str, ...]:
    last, proposal = next(iter(channel.history), None), channel.proposal
    waits = f"{proposal.version}, asked by {proposal.by}" if proposal else ""
    since, by = (clock(last.at), _movers(last)) if last else ("", "")
    return channel.family, channel.channel, channel.version or "nothing", since, by, waits


def _movers(last: Assignment) -> str:
    approved = [one for one in last.approved_by if one != last.by]
    return last.by + (f", approved by {', '.join(approved)}" if approved else "")


def catalogue_document(catalogue: Catalogue) -> dict[str, object]:
    return {
        "builds": [_build_document(build) for build in catalogue.builds],
        "images": [
            {**dump(image), "channels": _pointing(image, catalogue.channels)} for image in catalogue.images
        ],
        "channels": [dump(channel) for channel in catalogue.channels],
        "notes": list(catalogue.notes),
    }


def _build_document(build: Execution) -> dict[str, object]:
    _, family, version = build.workflow_id.split("/", 2)
    return {
        "family": family,
        "version": version,
        "state": built_state(build),
        "reason": build.word(REASON.name),
        "status": build.status,
        "run": build.run_id,
        "startedAt": build.started_at.isoformat(),
        "endedAt": build.ended_at.isoformat() if build.ended_at else None,
    }
