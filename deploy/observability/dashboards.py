"""Write the Grafana dashboards beside this file: `python deploy/observability/dashboards.py [FOLDER]`."""

# ruff: noqa: INP001  # a script beside what it writes
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

from grafana_foundation_sdk.builders import dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

FOLDER = Path(__file__).with_name("dashboards")
_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_WIDTH, _HEIGHT = 8, 7
_QUANTILE = "histogram_quantile(0.95, sum by (le, {by}) (rate({metric}_bucket[5m])))"


class Panel(NamedTuple):
    """One graph: what it says, what it asks, and how its lines are named. `unit` is Grafana's."""

    title: str
    expr: str
    legend: str
    unit: str = "short"
    says: str = ""


class Page(NamedTuple):
    uid: str
    title: str
    rows: dict[str, tuple[Panel, ...]]


def p95(metric: str, by: str) -> str:
    return _QUANTILE.format(metric=metric, by=by)


RUNS = Page(
    "steadfleet-runs",
    "Steadfleet: runs",
    {
        "What waits for a person": (
            Panel("Halted", 'max by (workflow) (steadfleet_runs{state="halted"})', "{{workflow}}"),
            Panel(
                "To put back, of ended runs",
                'max(steadfleet_obligations{state="sweeping"})',
                "obligations",
                says="What a lease holds while its owner works is none.",
            ),
            Panel("Not taken away", "max(steadfleet_lease_residue)", "things"),
        ),
        "What runs": (
            Panel("Open runs", "max by (workflow, state) (steadfleet_runs) > 0", "{{workflow}}: {{state}}"),
            Panel("Leases", "max by (state) (steadfleet_leases) > 0", "{{state}}"),
            Panel("Lease alarms an hour", "sum(increase(steadfleet_lease_alarms_total[1h]))", "alarms"),
        ),
        "What went wrong": (
            Panel(
                "Compensations that gave up, an hour",
                "sum by (undo) (increase(steadfleet_compensations_failed_total[1h]))",
                "{{undo}}",
            ),
            Panel(
                "Obligations left, an hour",
                "sum by (workflow_type) (increase(steadfleet_obligations_left_total[1h]))",
                "{{workflow_type}}",
            ),
            Panel(
                "Activities that failed, a second",
                "sum by (activity_type) (rate(temporal_activity_execution_failed_total[5m]))",
                "{{activity_type}}",
                says="Attempts: most are retried.",
            ),
        ),
        "What is proven": (
            Panel(
                "Since a plan last passed a drill",
                "max by (plan) (time() - steadfleet_drill_unproven_since_timestamp_seconds)",
                "{{plan}}",
                "s",
            ),
            Panel("Between two drills", "max by (plan) (steadfleet_drill_interval_seconds)", "{{plan}}", "s"),
            Panel(
                "Since somebody looked",
                "time() - max by (watch) (steadfleet_watch_timestamp_seconds)",
                "{{watch}}",
                "s",
            ),
        ),
    },
)

WORKERS = Page(
    "steadfleet-workers",
    "Steadfleet: workers",
    {
        "Queues": (
            Panel(
                "Pollers",
                "max by (task_queue, kind, version) (steadfleet_pollers)",
                "{{task_queue}} {{kind}} {{version}}",
            ),
            Panel(
                "Backlog", "max by (task_queue, kind) (steadfleet_backlog_tasks)", "{{task_queue}} {{kind}}"
            ),
            Panel(
                "Age of the backlog",
                "max by (task_queue, kind) (steadfleet_backlog_age_seconds)",
                "{{task_queue}} {{kind}}",
                "s",
            ),
        ),
        "Slots": (
            Panel(
                "Free",
                "min by (instance, worker_type) (temporal_worker_task_slots_available)",
                "{{instance}} {{worker_type}}",
            ),
            Panel(
                "Used",
                "max by (instance, worker_type) (temporal_worker_task_slots_used)",
                "{{instance}} {{worker_type}}",
            ),
            Panel("Versions stranded", "max(steadfleet_versions_stranded)", "versions"),
        ),
        "Workflow tasks": (
            Panel(
                "Failures a second",
                "sum by (workflow_type, failure_reason)"
                " (rate(temporal_workflow_task_execution_failed_total[5m]))",
                "{{workflow_type}} {{failure_reason}}",
                says="Any is one too many: the workflow stands still until the code is mended.",
            ),
            Panel(
                "From schedule to start, 95 %",
                p95("temporal_workflow_task_schedule_to_start_latency_seconds", "task_queue"),
                "{{task_queue}}",
                "s",
            ),
            Panel(
                "Replay, 95 %",
                p95("temporal_workflow_task_replay_latency_seconds", "workflow_type"),
                "{{workflow_type}}",
                "s",
            ),
        ),
        "Activities and the engine": (
            Panel(
                "Activity, 95 %",
                p95("temporal_activity_execution_latency_seconds", "activity_type"),
                "{{activity_type}}",
                "s",
            ),
            Panel(
                "Requests that fail, a second",
                "sum by (operation, status_code) (rate(temporal_request_failure_total[5m]))",
                "{{operation}} {{status_code}}",
            ),
            Panel(
                "Certificates end in",
                "min by (instance, certificate) (steadfleet_certificate_expiry_timestamp_seconds > 0)"
                " - time()",
                "{{instance}} {{certificate}}",
                "s",
            ),
        ),
    },
)

SERVER = Page(
    "steadfleet-server",
    "Steadfleet: a Temporal of your own",
    {
        "Frontend": (
            Panel(
                "Requests a second",
                "sum by (operation) (rate(service_requests[5m]))",
                "{{operation}}",
                "reqps",
            ),
            Panel(
                "Errors a second",
                "sum by (operation, error_type) (rate(service_error_with_type[5m]))",
                "{{operation}} {{error_type}}",
            ),
            Panel("Latency, 95 %", p95("service_latency", "operation"), "{{operation}}", "s"),
        ),
        "Persistence": (
            Panel("Latency, 95 %", p95("persistence_latency", "operation"), "{{operation}}", "s"),
            Panel(
                "Errors a second",
                "sum by (operation, error_type) (rate(persistence_error_with_type[5m]))",
                "{{operation}} {{error_type}}",
            ),
            Panel(
                "Visibility, 95 %", p95("visibility_persistence_latency", "operation"), "{{operation}}", "s"
            ),
        ),
        "Work": (
            Panel(
                "Backlog",
                "sum by (taskqueue, task_type) (approximate_backlog_count)",
                "{{taskqueue}} {{task_type}}",
            ),
            Panel(
                "Age of the backlog",
                "max by (taskqueue, task_type) (approximate_backlog_age_seconds)",
                "{{taskqueue}} {{task_type}}",
                "s",
            ),
            Panel("Workflow tasks that fail, a second", "sum(rate(failed_workflow_tasks[5m]))", "failures"),
        ),
    },
)

PAGES = (RUNS, WORKERS, SERVER)


def written(folder: Path) -> Iterator[Path]:
    """Write each page as JSON, and name its file."""
    folder.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        file = folder / f"{page.uid}.json"
        file.write_text(JSONEncoder(sort_keys=True, indent=2).encode(_dashboard(page).build()) + "\n")
        yield file


def _dashboard(page: Page) -> dashboard.Dashboard:
    made = (
        dashboard.Dashboard(page.title)
        .uid(page.uid)
        .tags(["steadfleet"])
        .timezone("browser")
        .refresh("30s")
        .time("now-6h", "now")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    number = count(1)
    for title, panels in page.rows.items():
        made = made.with_row(dashboard.Row(title).id(next(number)))
        for panel in panels:
            made = made.with_panel(_graph(panel).id(next(number)))
    return made


def _graph(panel: Panel) -> timeseries.Panel:
    query = (
        prometheus.Dataquery().expr(panel.expr).legend_format(panel.legend).datasource(_SOURCE).ref_id("A")
    )
    return (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.says)
        .unit(panel.unit)
        .min(0)
        .datasource(_SOURCE)
        .height(_HEIGHT)
        .span(_WIDTH)
        .with_target(query)
    )


if __name__ == "__main__":
    for file in written(Path(sys.argv[1]) if sys.argv[1:] else FOLDER):
        sys.stdout.write(f"{file}\n")
