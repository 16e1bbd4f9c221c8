"""What can be looked at without a drill: what one would meet, and what past ones proved."""

from datetime import timedelta

from temporalio import workflow

from steadfleet_core.drill.order import Drill, DrillOrder
from steadfleet_core.drill.report import Preflight
from steadfleet_core.model import Model
from steadfleet_durable.options import SLOW
from steadfleet_ports.drill import DrillInspection, DrillPreparation, Drills, PastReports, Reports
from steadfleet_workflows.naming import run_name
from steadfleet_workflows.visibility import PLAN, STATE, shown_reason


class Inspected(Model):
    """What the plan resolves to now, and what was found."""

    drill: Drill
    preflight: Preflight


@workflow.defn
class DrillPreflight:
    """Predict what would fail. `SfState` is `failed` where something blocks, so that lists show it."""

    @workflow.run
    async def run(self, order: DrillOrder) -> Inspected:
        self._show(order, "preparing", "")
        now = workflow.now()
        run = run_name("preflight", order.plan.name)
        preparation = DrillPreparation(order=order, run=run, at=now, expires_at=now + timedelta(hours=1))
        drill = await workflow.execute_activity_method(Drills.prepare_drill, preparation, **SLOW)
        inspection = DrillInspection(drill=drill, at=now)
        preflight = await workflow.execute_activity_method(Drills.inspect_drill, inspection, **SLOW)
        blocking = "; ".join(finding.what for finding in preflight.blocking)
        self._show(order, "failed" if blocking else "passed", blocking)
        return Inspected(drill=drill, preflight=preflight)

    def _show(self, order: DrillOrder, state: str, reason: str) -> None:
        workflow.set_current_details(f"**preflight of {order.plan.name}: {state}**\n\n{reason}")
        if order.search_attributes:
            updates = [
                STATE.value_set(state),
                PLAN.value_set(order.plan.name),
                shown_reason(reason),
            ]
            workflow.upsert_search_attributes(updates)


@workflow.defn
class DrillHistory:
    """Read the reports that are kept of a plan, also those that Temporal has forgotten."""

    @workflow.run
    async def run(self, request: PastReports) -> Reports:
        return await workflow.execute_activity_method(Drills.past_reports, request, **SLOW)
