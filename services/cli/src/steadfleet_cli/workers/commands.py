"""`steadfleet workers list` and `status`."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

import click

from steadfleet_cli.exits import ExitCode
from steadfleet_cli.output import output_option, show


@click.command("list")
@click.argument("deployments", nargs=-1, metavar="[DEPLOYMENT]...")
@output_option
def list_versions(deployments: tuple[str, ...], output: str) -> None:
    """List versions: their share of new work, what is pinned to them, and who polls for them.

    Without DEPLOYMENT all that serve a task queue of ours. A worker that has gone counts as
    polling for up to five minutes.
    """
    from steadfleet_cli.engine import call
    from steadfleet_cli.workers.looking import find
    from steadfleet_cli.workers.text import document, versions_text

    found = call(lambda client: find(client, deployments), group="workers")
    show(output, document(found), versions_text(found))


@click.command()
@click.argument("deployments", nargs=-1, metavar="[DEPLOYMENT]...")
@output_option
def status(deployments: tuple[str, ...], output: str) -> int:
    """Say what waits for a worker or for a version; ends with 6 when something does.

    An alarm is a deployment without a current version, where new workflows never start, and a
    version that has work and nobody who polls for it.
    """
    from steadfleet_cli.engine import call
    from steadfleet_cli.workers.looking import find
    from steadfleet_cli.workers.text import status_document, status_text
    from steadfleet_durable.deployments import problems_of

    found = call(lambda client: find(client, deployments), group="workers")
    alarms = [problem for deployment in found for problem in problems_of(deployment)]
    show(output, status_document(found, alarms), status_text(found, alarms))
    return ExitCode.NOT_SUCCEEDED if alarms else ExitCode.OK
