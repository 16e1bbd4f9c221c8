"""The janitor: a worker with a role of its own, which may delete what others may only create.

AWS's own variables say who it is: give this process another role than the workers that build and
change. Without a command it works on its queue; `sweep` needs no Temporal at all.
"""

from collections.abc import Mapping

import click
from botocore.exceptions import BotoCoreError

from steadfleet_activities.janitor.aws import AwsJanitor
from steadfleet_activities.tracing import trace_aws_calls
from steadfleet_core.errors import SteadfleetError
from steadfleet_durable import WorkerConfigError, register, run_service, serve
from steadfleet_janitor.settings import Settings
from steadfleet_janitor.sweep import sweep
from steadfleet_janitor.watching import watch_engine
from steadfleet_ports.lease import JANITOR_QUEUE, Janitor
from steadfleet_workflows.lease import Lease

NAME = "janitor"
WORKFLOWS = (Lease,)


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Take away what runs left behind: as a worker until SIGTERM, or once, by `sweep`."""
    if context.invoked_subcommand is None:
        run_service(work())


main.add_command(sweep)


async def work() -> None:
    settings = Settings.from_env()
    trace_aws_calls()
    await serve(
        NAME,
        task_queue=JANITOR_QUEUE,
        workflows=WORKFLOWS,
        activities=register(adapter(settings)),
        settings=settings.worker,
        beside=lambda client: watch_engine(client, settings.worker.watch_interval),
    )


def adapter(settings: Settings, env: Mapping[str, str] | None = None) -> Janitor:
    """Build what stands behind the port; AWS's own variables say which account and region."""
    try:
        janitor = AwsJanitor.from_environment(env, slots=settings.worker.max_concurrent_activities)
        janitor.own_region()
    except SteadfleetError as error:
        raise WorkerConfigError(f"AWS: {error}") from error
    except (BotoCoreError, ValueError) as error:  # an endpoint that is no URL is a ValueError
        raise WorkerConfigError(
            f"AWS: {error}; expected AWS's own variables: a profile that exists, and AWS_ENDPOINT_URL only"
            " for a local cloud"
        ) from error
    return janitor
