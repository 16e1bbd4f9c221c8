"""What `drill run` says when it has started a drill."""

from collections.abc import Iterator

from steadfleet_cli.drill.launch import Launch, Outcome


def launch_text(launch: Launch) -> str:
    return "\n".join(_lines(launch))


def _lines(launch: Launch) -> Iterator[str]:
    if launch.outcome is Outcome.STARTED:
        yield f"{launch.mode} of {launch.plan} started: {launch.workflow_id}"
    else:
        yield f"the same runs already as {launch.workflow_id}: attached, nothing was started"
    yield from (f"note: {note}" for note in launch.notes)
    if launch.ui:
        yield f"ui: {launch.ui}"
    yield f"next: steadfleet drill watch {launch.workflow_id}"
