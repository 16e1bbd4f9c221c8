"""What a drill is asked for: read from a file, or from the first event of one that was started."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from temporalio.client import Client, WorkflowHandle

from steadfleet_cli.drill.cron import schedule_problems
from steadfleet_cli.engine import refusal_of
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_core.contract import read_contract
from steadfleet_core.drill.order import DrillOrder
from steadfleet_core.drill.plan import DrillPlan, Mode
from steadfleet_core.drill.report import DrillReport
from steadfleet_core.errors import ContractError
from steadfleet_workflows.drill import DrDrill

DrillHandle = WorkflowHandle[DrDrill, DrillReport]

# By hand `drill/shop/20270131T023000Z`; by a schedule `drill/shop-2027-01-31T02:30:00Z`.
_IDENTITY = re.compile(
    r"drill/(?P<plan>[a-z0-9.-]+?)(/\d{8}T\d{6}Z|-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", re.ASCII
)


class Drilled(NamedTuple):
    """Which drill is meant: the newest of a plan, or one by its id."""

    plan: str
    workflow_id: str = ""

    def __str__(self) -> str:
        return self.workflow_id or self.plan


def meant(text: str) -> Drilled:
    """Read what a person calls a drill: its plan's name, or the id of its workflow."""
    found = _IDENTITY.fullmatch(text)
    if found:
        return Drilled(found["plan"], text)
    if "/" in text:
        raise CommandError(
            f"{text} is no drill: expected a plan's name, or an id such as drill/shop/20270131T023000Z",
            ExitCode.USAGE,
            "`steadfleet drill list` shows the ids",
        )
    return Drilled(text)


def plan_of(workflow_id: str) -> str:
    """Return the plan's name that is in a drill's id; empty if it is no such id."""
    found = _IDENTITY.fullmatch(workflow_id)
    return found["plan"] if found else ""


def read_plan(file: Path) -> DrillPlan:
    """Read a plan, or refuse it: also where its schedule says what no clock ever shows."""
    try:
        plan = read_contract(_text(file), str(file), DrillPlan)
    except ContractError as error:
        raise refusal_of(error, f"correct {file}, then `steadfleet drill plan -f {file}`") from error
    problems = schedule_problems(plan.spec.schedule) if plan.spec.schedule else []
    if problems:
        text = "\n".join(f"{file}: spec.schedule.{problem}" for problem in problems)
        raise CommandError(text, ExitCode.REFUSED, f"correct {file}")
    return plan


def read_order(file: Path, mode: str | None, by: str) -> DrillOrder:
    return DrillOrder(plan=read_plan(file), requested_by=by, mode=Mode(mode) if mode else None)


def with_cron(order: DrillOrder, cron: str) -> DrillOrder:
    """Return the order with other times of its schedule, refused as in a file."""
    plan = order.plan
    schedule = plan.spec.schedule.model_copy(update={"cron": cron}) if plan.spec.schedule else None
    problems = schedule_problems(schedule) if schedule else []
    if problems:
        raise CommandError(f"--{problems[0]}", ExitCode.USAGE, "five fields of cron such as '0 6 * * *'")
    spec = plan.spec.model_copy(update={"schedule": schedule})
    return order.model_copy(update={"plan": plan.model_copy(update={"spec": spec})})


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = "there is no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise CommandError(
            f"drill {file}: {why}",
            ExitCode.USAGE,
            "name a DrillPlan with -f FILE, or write ./drill.yaml (`steadfleet schema DrillPlan`)",
        ) from error


def drill_handle(client: Client, identity: str, run_id: str | None = None) -> DrillHandle:
    handle: DrillHandle = client.get_workflow_handle_for(DrDrill.run, identity, run_id=run_id)
    return handle


async def order_of(client: Client, identity: str, run_id: str | None = None) -> DrillOrder:
    """Return what a drill was started with, which needs no worker."""
    handle = client.get_workflow_handle(identity, run_id=run_id)
    first = await anext(handle.fetch_history_events(page_size=1))
    started = first.workflow_execution_started_event_attributes
    kinds: list[Any] = [DrillOrder]
    order: DrillOrder = (await client.data_converter.decode(started.input.payloads, kinds))[0]
    return order


def preflight_id(plan: str, at: datetime) -> str:
    return f"drill-preflight/{plan}/{at:%Y%m%dT%H%M%SZ}"
