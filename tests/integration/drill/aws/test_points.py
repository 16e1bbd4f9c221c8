"""Which recovery point is meant, and what is kept of drills."""

from datetime import UTC, datetime, timedelta

import pytest
from integration.drill.aws.stage import Stage
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.drill.aws.names import BALANCER, named
from steadfleet_activities.drill.aws.points import Points
from steadfleet_activities.drill.aws.sources import Backup, Window
from steadfleet_core.drill.plan import RecoveryPoint
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import digest_of
from steadfleet_ports.drill import PastReports, StoredReport

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NIGHTS = [Backup(f"night-{hours}", "arn", "eu-west-1", NOW - hours * HOUR) for hours in (8, 32, 56)]
LOG = Window(NOW - 40 * HOUR, NOW - timedelta(minutes=5))


def test_the_latest_is_the_end_of_the_log_where_there_is_one() -> None:
    assert Points("orders", NIGHTS, LOG).chosen(RecoveryPoint(), "run", NOW).at == LOG.latest
    assert Points("orders", NIGHTS, None).chosen(RecoveryPoint(), "run", NOW).backup == NIGHTS[0]
    with pytest.raises(RefusedError, match="turn on its backups"):
        Points("orders", [], None).chosen(RecoveryPoint(), "run", NOW)


@pytest.mark.parametrize(("hours", "backup"), [(9, 1), (32, 1), (50, 2)])
def test_a_time_that_no_log_covers_is_the_last_backup_before_it(hours: int, backup: int) -> None:
    wanted = RecoveryPoint(at=NOW - hours * HOUR)
    assert Points("orders", NIGHTS, None).chosen(wanted, "run", NOW).backup == NIGHTS[backup]


def test_a_time_is_never_met_by_what_is_later() -> None:
    with pytest.raises(RefusedError, match="not later than"):
        Points("orders", NIGHTS, LOG).chosen(RecoveryPoint(at=NOW - 60 * HOUR), "run", NOW)


@pytest.mark.parametrize("window", [LOG, None])
def test_a_random_time_is_the_same_for_a_run_and_another_for_others(window: Window | None) -> None:
    points, wanted = Points("orders", NIGHTS, window), RecoveryPoint(random_within=60 * HOUR)
    drawn = {run: points.chosen(wanted, f"run-{run}", NOW) for run in range(50)}
    assert drawn == {run: points.chosen(wanted, f"run-{run}", NOW) for run in range(50)}
    assert len({point.at for point in drawn.values()}) == (50 if window else len(NIGHTS))
    least, most = (LOG.earliest, LOG.latest) if window else (NIGHTS[-1].taken_at, NIGHTS[0].taken_at)
    assert all(least <= point.at <= most for point in drawn.values())


def test_names_fit_and_tell_runs_apart() -> None:
    long = [named(f"drill/a-plan-with-a-long-name/{second}", "web", BALANCER) for second in ("1", "2")]
    assert len(set(long)) == 2
    assert all(len(name) <= BALANCER for name in long)
    assert named("20270131-x", "orders") == "r-20270131-x-orders"


async def test_reports_are_kept_by_plan_and_run_the_newest_last(stage: Stage) -> None:
    for run in ("drill/kept/1", "drill/kept/2"):
        report = StoredReport(plan="kept", run=run, content=f'{{"run": "{run}"}}')
        digest = await ActivityEnvironment().run(stage.drills.store_report, report)
        assert digest == digest_of(report.content.encode())
    past = await ActivityEnvironment().run(stage.drills.past_reports, PastReports(plan="kept", most=1))
    assert past.contents == ('{"run": "drill/kept/2"}',)
    other = await ActivityEnvironment().run(stage.drills.past_reports, PastReports(plan="kep"))
    assert other.contents == ()


async def test_a_password_may_be_a_parameter_of_the_recovery_region(stage: Stage) -> None:
    stage.recovery.ssm.put_parameter(Name="/orders", Value="secret", Type="SecureString")
    store = stage.plan().spec.stores[0].model_dump(mode="json", by_alias=True)
    plan = stage.plan(stores=[store | {"password": {"parameter": "/orders"}}])
    drill = await stage.prepare(plan, "run-parameter")
    found = await stage.inspect(drill)
    assert not found.blocking
    assert "secret" not in found.model_dump_json() + drill.model_dump_json()
