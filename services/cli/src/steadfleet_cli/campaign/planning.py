"""`campaign plan` and `campaign start`."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from steadfleet_cli.output import as_option, dump, output_option, show, user

if TYPE_CHECKING:
    from steadfleet_core.campaign.plan import CampaignOrder, Preview
    from steadfleet_core.campaign.policy import PatchPolicy

_STRATEGIES = click.Choice(["immediate", "rolling", "canary"])
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _policy_options(command: _Command) -> _Command:
    options = [
        click.option(
            "-f",
            "--file",
            type=click.Path(path_type=Path),
            help="The PatchPolicy. Default: ./steadfleet.yaml",
        ),
        click.option("--fleet", metavar="NAME", help="In place of spec.fleet.name."),
        click.option(
            "--group", "groups", multiple=True, metavar="NAME", help="Only hosts of this group; repeatable."
        ),
        click.option("--image", metavar="IMAGE", help="In place of spec.image: ami-… or family@version."),
        click.option("--name", metavar="NAME", help="In place of metadata.name, the campaign's name."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.option("--strategy", type=_STRATEGIES, help="In place of spec.strategy.type.")
@_policy_options
@click.option("--from-asg", metavar="GROUP", help="A plain group without a policy; needs --image.")
@output_option
def plan(file: Path | None, from_asg: str | None, output: str, **overrides: Any) -> None:
    """Show waves, boundaries and time of a campaign; touch nothing.

    Ends with 3 when the plan has problems, and so could not be started.
    """
    from steadfleet_cli.campaign.plan_text import befores_text, preview_text
    from steadfleet_cli.exits import ExitCode

    policy = _group_policy(from_asg, file, overrides) if from_asg else _policy(file, overrides)
    preview = _preview(policy, probe=not from_asg)
    text = preview_text(preview, policy) + (befores_text(preview.plan) if from_asg else "")
    show(output, dump(preview), text)
    click.get_current_context().exit(ExitCode.REFUSED if preview.problems else ExitCode.OK)


@click.command()
@click.argument("strategy", type=_STRATEGIES)
@_policy_options
@as_option
@click.option("--yes", is_flag=True, help="Ask no question, even where no approval stands before the hosts.")
@click.option("--wait", "until", flag_value="wait", help="Return when the campaign has ended.")
@click.option("--watch", "until", flag_value="watch", help="Follow it until it has ended.")
@output_option
def start(file: Path | None, by: str, *, yes: bool, until: str | None, output: str, **overrides: Any) -> int:
    """Start a campaign.

    If the same campaign runs already, attach to it. A question is asked only on a terminal, and only
    where the policy demands no approval. `campaign start canary` alone reads ./steadfleet.yaml.
    """
    from steadfleet_cli.campaign.launch import begin
    from steadfleet_cli.campaign.launch_text import launch_text
    from steadfleet_cli.engine import call
    from steadfleet_core.campaign.plan import CampaignOrder

    order = CampaignOrder(policy=_policy(file, overrides), requested_by=by)
    present = partial(_present, order, output=output, yes=yes)
    begun = call(lambda client: begin(client, order, present), by)
    if output == "text" or until is None:
        show(output, dump(begun), launch_text(begun, order))
    return _follow(order.policy.metadata.name, until, output)


def _present(order: "CampaignOrder", preview: "Preview", *, output: str, yes: bool) -> None:
    """Show the plan, and ask where nothing else stands between this command and the hosts."""
    from steadfleet_cli.campaign.plan_text import hosts, preview_text

    if output != "text":
        return
    click.echo(preview_text(preview, order.policy) + "\n")
    if not yes and not order.policy.spec.approval.required and _on_terminal():
        count, image = hosts(preview.plan.hosts), preview.plan.image.id
        click.confirm(f"No approval is demanded: change {count} to {image} now?", abort=True)


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _follow(name: str, until: str | None, output: str) -> int:
    from steadfleet_cli.campaign.following import follow, wait

    match until:
        case "watch":
            return follow(name, output)
        case "wait":
            return wait(name, output)
    return 0


def _preview(policy: "PatchPolicy", *, probe: bool) -> "Preview":
    from steadfleet_cli.campaign.preview import preview_of
    from steadfleet_cli.engine import call
    from steadfleet_core.campaign.plan import CampaignOrder

    order = CampaignOrder(policy=policy, requested_by=user())
    return call(lambda client: preview_of(client, order, probe=probe))


def _group_policy(group: str, file: Path | None, overrides: dict[str, Any]) -> "PatchPolicy":
    from pydantic import ValidationError

    from steadfleet_cli.campaign.override import Overrides
    from steadfleet_cli.campaign.policy import synthetic_policy

    if file or overrides["groups"] or overrides["fleet"]:
        raise click.UsageError("--from-asg stands alone: it takes no --file, --fleet or --group")
    if not overrides["image"]:
        raise click.UsageError("--from-asg needs --image: ami-… or family@version")
    try:
        return synthetic_policy(group, Overrides(**overrides))
    except ValidationError as error:
        what = "; ".join(str(problem["msg"]) for problem in error.errors())
        raise click.UsageError(f"--from-asg {group}: {what}") from error


def _policy(file: Path | None, overrides: dict[str, Any]) -> "PatchPolicy":
    from steadfleet_cli.campaign.override import Overrides
    from steadfleet_cli.campaign.policy import DEFAULT, read_policy
    from steadfleet_cli.engine import refusal_of
    from steadfleet_core.errors import ContractError, RefusedError

    try:
        return read_policy(file, Overrides(**overrides))
    except (ContractError, RefusedError) as error:
        raise refusal_of(error, f"correct {file or DEFAULT} or the options, then `campaign plan`") from error
