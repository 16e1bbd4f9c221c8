"""When a long story goes on in a new run: its history is long, or newer code has been made current.

Versioned workers pin every run to the code that it began with (`WorkerSettings.deployment`), so a
run changes code only here, where nothing is in flight. No behaviour is written at the definitions:
an engine refuses one from a worker that has no version.
"""

from typing import NoReturn

from temporalio import workflow

from steadfleet_durable.rollout_nudge import LOOK_AGAIN


class Idle:
    """What waits for messages alone: it is told that another version is current only with a task."""

    @workflow.signal(name=LOOK_AGAIN)
    def look_again(self) -> None:
        """Hear of a new version; the wait for it is what looks."""


def should_continue_as_new() -> bool:
    info = workflow.info()
    return info.is_continue_as_new_suggested() or info.is_target_worker_deployment_version_changed()


def continue_as_new(arg: object) -> NoReturn:
    """Go on with `arg`, on the current version if this run is pinned to an older one."""
    if workflow.info().is_target_worker_deployment_version_changed():
        workflow.continue_as_new(
            arg, initial_versioning_behavior=workflow.ContinueAsNewVersioningBehavior.AUTO_UPGRADE
        )
    workflow.continue_as_new(arg)
