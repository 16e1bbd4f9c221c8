"""`steadfleet workers rollout`."""
# ruff: noqa: PLC0415  (imported when called: `--help` loads neither Temporal nor pydantic)

import json
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.output import as_option, output_option, show

if TYPE_CHECKING:
    from collections.abc import Callable

    from temporalio.client import Client

    from steadfleet_durable.rollout_order import Gate, RolledOut, RolloutOrder
    from steadfleet_durable.rollout_prune import Pruned

    Outcome = tuple[list[RolledOut], list[Pruned] | None]


@click.command()
@click.option("--build-id", required=True, metavar="BUILD", help="The version that takes over.")
@click.option(
    "--deployment",
    "deployments",
    multiple=True,
    metavar="NAME",
    help="Where; repeatable. Default: all deployments that serve a task queue of ours.",
)
@click.option("--steps", default="10,50,100", show_default=True, help="Percentages of new work.")
@click.option("--pause", default="5m", show_default=True, help="How long each step is watched.")
@click.option("--patience", default="2m", show_default=True, help="How long BUILD may take to poll.")
@click.option(
    "--gate",
    "gates",
    multiple=True,
    metavar="NAME:WORKFLOW[:JSON]",
    help="A workflow that must succeed on BUILD of the deployment first, within --patience; repeatable.",
)
@click.option("--prune", is_flag=True, help="At the end delete versions that are drained and not polled.")
@click.option("--yes", is_flag=True, help="Ask no question.")
@as_option
@output_option
def rollout(
    *,
    build_id: str,
    deployments: tuple[str, ...],
    steps: str,
    pause: str,
    patience: str,
    gates: tuple[str, ...],
    by: str,
    output: str,
    prune: bool,
    yes: bool,
) -> None:
    """Give new work to another version of the workers: in steps, watched, and back when it goes bad.

    The workers of BUILD must run. It waits until they poll every task queue that the current
    version serves. Without a current version BUILD is made current at once, else it ramps; when
    its workflow tasks fail, or nobody polls for it any more, all new work goes back to the current
    version, and the command ends with 6. Work that has begun stays on its version, so keep those
    workers until `steadfleet workers list` shows it drained.

    Run again it goes on from where it stands. With the old version as BUILD it rolls back; at
    once with `--steps 100 --pause 0s`.
    """
    from steadfleet_cli.engine import call
    from steadfleet_cli.workers.looking import names_of
    from steadfleet_cli.workers.text import outcome_document, outcome_text
    from steadfleet_durable.rollout_order import RolloutError, RolloutOrder

    try:
        order = RolloutOrder(
            build_id=build_id,
            steps=_steps(steps),
            pause=_time("--pause", pause),
            patience=_time("--patience", patience),
            gates=tuple(map(_gate, gates)),
            deployments=call(lambda client: names_of(client, deployments), by, "workers"),
        )
        _present(order, pause, by, output=output, yes=yes)
        say = click.echo if output == "text" else lambda _: None
        done, pruned = call(lambda client: _run(client, order, say, prune=prune), by, "workers")
    except RolloutError as error:
        raise _refusal(error) from error
    except KeyboardInterrupt:
        raise _interrupted(order, by) from None
    show(output, outcome_document(order, done, pruned), outcome_text(done, pruned))


async def _run(
    client: "Client", order: "RolloutOrder", say: "Callable[[str], None]", *, prune: bool
) -> "Outcome":
    from steadfleet_durable.rollout import Rollout
    from steadfleet_durable.rollout_prune import prune as delete_drained

    done = await Rollout(client, order, say).run()
    return done, await delete_drained(client, order.deployments) if prune else None


def _present(order: "RolloutOrder", pause: str, by: str, *, output: str, yes: bool) -> None:
    from steadfleet_cli.engine import call
    from steadfleet_cli.workers.looking import standing
    from steadfleet_cli.workers.text import plan_text

    if output != "text":
        return
    found = call(lambda client: standing(client, order.deployments), by, "workers")
    click.echo(plan_text(order, found, pause) + "\n")
    if not yes and sys.stdin.isatty() and sys.stdout.isatty():
        click.confirm(f"Roll {order.build_id} out now?", default=True, abort=True)


def _refusal(error: "Exception") -> CommandError:
    from steadfleet_durable.rollout_order import RolloutError, RolloutTakenBackError

    code = ExitCode.NOT_SUCCEEDED if isinstance(error, RolloutTakenBackError) else ExitCode.REFUSED
    advice = error.advice if isinstance(error, RolloutError) else ""
    return CommandError(str(error), code, advice)


def _interrupted(order: "RolloutOrder", by: str) -> CommandError:
    """Look once more: what was being changed when the interrupt came is not known otherwise."""
    from steadfleet_cli.engine import call
    from steadfleet_cli.workers.looking import standing
    from steadfleet_cli.workers.text import stands_text

    found = call(lambda client: standing(client, order.deployments), by, "workers")
    return CommandError(
        "interrupted; " + "; ".join(map(stands_text, found)),
        ExitCode.INTERRUPTED,
        "both versions work on, and nobody watches: the same command goes on from there, and `steadfleet"
        " workers rollout --build-id` with the current version takes the ramp back",
    )


def _steps(said: str) -> tuple[int, ...]:
    try:
        return tuple(int(step) for step in said.split(","))
    except ValueError as error:
        raise click.UsageError(f"--steps {said}: expected percentages, such as 10,50,100") from error


def _time(option: str, said: str) -> timedelta:
    from steadfleet_core.model import parse_duration

    try:
        time = parse_duration(said)
    except ValueError as error:
        raise click.UsageError(f"{option} {said}: {error}") from error
    return time if isinstance(time, timedelta) else timedelta()


def _gate(said: str) -> "Gate":
    from steadfleet_durable.rollout_order import Gate

    wrong = f"--gate {said}: expected DEPLOYMENT:WORKFLOW or DEPLOYMENT:WORKFLOW:JSON"
    deployment, _, rest = said.partition(":")
    workflow, _, argument = rest.partition(":")
    if not deployment or not workflow:
        raise click.UsageError(wrong)
    try:
        return Gate(deployment, workflow, json.loads(argument) if argument else None)
    except ValueError as error:
        raise click.UsageError(f"{wrong}: {error}") from error
