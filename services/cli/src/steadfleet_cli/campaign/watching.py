"""`campaign list`, `status`, `watch` and `report`."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

from pathlib import Path

import click

from steadfleet_cli.output import dump, name_argument, output_option, show


@click.command("list")
@click.option("--running", is_flag=True, help="Only those that have not ended.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@output_option
def list_campaigns(*, running: bool, limit: int, output: str) -> None:
    """List campaigns, the newest first.

    What is listed was reported by the campaigns themselves, and needs no worker.
    """
    from steadfleet_cli.campaign.reading import list_executions
    from steadfleet_cli.campaign.status_text import list_text, listed
    from steadfleet_cli.engine import call

    executions = call(lambda client: list_executions(client, running=running, most=limit))
    show(output, [listed(execution) for execution in executions], list_text(executions))


@click.command()
@name_argument
@output_option
def status(name: str | None, output: str) -> None:
    """Say where a campaign stands, what failed, and what can be done now.

    NAME is by default that of ./steadfleet.yaml.
    """
    from steadfleet_cli.campaign.policy import campaign_name
    from steadfleet_cli.campaign.reading import read_standing
    from steadfleet_cli.campaign.status_text import status_text
    from steadfleet_cli.engine import call

    campaign = campaign_name(name)
    standing = call(lambda client: read_standing(client, campaign))
    show(output, dump(standing.status), status_text(standing.status))


@click.command()
@name_argument
@output_option
def watch(name: str | None, output: str) -> int:
    """Follow a campaign until it ends.

    On a terminal: bars for each wave, and the keys p (pause), r (resume) and q (leave; the campaign
    goes on). Elsewhere: one line for each change. With --output json: the report, at the end.
    """
    from steadfleet_cli.campaign.following import follow
    from steadfleet_cli.campaign.policy import campaign_name

    return follow(campaign_name(name), output)


@click.command()
@name_argument
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page that needs no other file."
)
@output_option
def report(name: str | None, html: Path | None, output: str) -> None:
    """Write what a campaign did, and when.

    NAME is by default that of ./steadfleet.yaml. Of a campaign that has not ended: what it did so far.
    """
    from steadfleet_cli.campaign.policy import campaign_name
    from steadfleet_cli.campaign.reading import read_standing
    from steadfleet_cli.campaign.report_page import write_page
    from steadfleet_cli.campaign.status_text import report_document, status_text
    from steadfleet_cli.engine import call

    campaign = campaign_name(name)
    standing = call(lambda client: read_standing(client, campaign))
    written = write_page(standing, html) if html else ""
    show(output, report_document(standing), written or status_text(standing.status))
