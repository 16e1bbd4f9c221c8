"""Every metric that an alert or a dashboard asks for is exported by a running system, or named here."""

import re
import time
from collections.abc import Callable

import pytest
from integration.observability.conftest import Watched
from unit.observability.promql import missing

from steadfleet_cli.parts import WORKERS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
WITHIN = 60.0
ONLY_AFTER_A_FAILURE = frozenset(
    {
        # test_counters.py provokes these.
        "temporal_workflow_task_execution_failed_total",
        "temporal_activity_execution_failed_total",
        "temporal_request_failure_total",
        "steadfleet_compensations_failed_total",
        "steadfleet_obligations_left_total",
        "steadfleet_lease_alarms_total",
        # The server's own, which a healthy one does not show: named as its metric definitions do.
        "service_error_with_type",
        "persistence_error_with_type",
        "failed_workflow_tasks",
    }
)
ONLY_WITH_TLS = frozenset({"steadfleet_certificate_expiry_timestamp_seconds"})  # test_certificates.py


def value(scrape: str, metric: str, *labels: str) -> float | None:
    """Return the first sample of that metric which has all of these labels."""
    for line in scrape.splitlines():
        if re.match(rf"{metric}[ {{]", line) and all(label in line for label in labels):
            return float(line.rsplit(" ", 1)[1])
    return None


def until(holds: Callable[[], bool]) -> bool:
    """Look again until it holds: what is looked up every second is not there at once."""
    ends = time.monotonic() + WITHIN
    while not holds():
        if time.monotonic() > ends:
            return False
    return True


@pytest.fixture
def janitor(watched: Watched) -> Callable[[], str]:
    return lambda: watched.stack.metrics("janitor")


def test_whatever_is_asked_for_is_exported(watched: Watched) -> None:
    stack = watched.stack

    def scraped() -> str:
        return "\n".join([*(stack.metrics(name) for name in WORKERS), stack.engine_metrics()])

    until(lambda: not missing(scraped(), elsewhere=ONLY_AFTER_A_FAILURE | ONLY_WITH_TLS))
    assert missing(scraped(), elsewhere=ONLY_AFTER_A_FAILURE | ONLY_WITH_TLS) == []


def test_a_halted_campaign_is_seen_also_when_the_worker_that_runs_it_dies(
    watched: Watched, janitor: Callable[[], str]
) -> None:
    halted = ("steadfleet_runs", 'workflow="PatchCampaign"', 'state="halted"')

    assert until(lambda: value(janitor(), *halted) == 1)
    watched.stack.process("worker").kill()
    looked = value(janitor(), "steadfleet_watch_timestamp_seconds", 'watch="engine"') or 0

    assert until(
        lambda: (value(janitor(), "steadfleet_watch_timestamp_seconds", 'watch="engine"') or 0) > looked
    )
    assert value(janitor(), *halted) == 1
    watched.stack.up()


def test_what_a_live_run_holds_is_no_open_obligation(janitor: Callable[[], str]) -> None:
    assert until(lambda: (value(janitor(), "steadfleet_obligations", 'state="held"') or 0) >= 1)
    assert value(janitor(), "steadfleet_obligations", 'state="sweeping"') == 0
    assert value(janitor(), "steadfleet_leases", 'state="unanswered"') == 0


@pytest.mark.parametrize(
    "queue", ["patch-campaign", "image-build", "dr-drill", "signer", "witness", "janitor"]
)
def test_each_queue_has_its_worker(queue: str, janitor: Callable[[], str]) -> None:
    polled = ("steadfleet_pollers", f'task_queue="{queue}"', 'kind="activity"')

    assert until(lambda: (value(janitor(), *polled) or 0) >= 1)


def test_a_planned_drill_that_never_passed_counts_from_its_planning(watched: Watched) -> None:
    def since() -> float:
        return (
            value(watched.stack.metrics("driller"), "steadfleet_drill_unproven_since_timestamp_seconds") or 0
        )

    assert until(lambda: since() > 0)
    assert 0 <= time.time() - since() < 3600
    assert value(watched.stack.metrics("driller"), "steadfleet_drill_interval_seconds") == 7 * 86400
