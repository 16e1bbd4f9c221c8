"""When a plan was last proven: by its newest report that passed, and by nothing less."""

from fakes.drill_reports import days_before
from steadfleet_core.drill.report import DrillReport
from steadfleet_core.drill.verdict import Verdict
from steadfleet_dr_drill.watching import newest_passed


def contents(*reports: DrillReport) -> tuple[str, ...]:
    return tuple(report.model_dump_json() for report in reports)


def passed(days: int) -> DrillReport:
    report = days_before(days)
    assert report.status.overall is Verdict.PASSED
    return report


def not_proven(days: int) -> DrillReport:
    report = days_before(days, isolation=None)
    assert report.status.overall is not Verdict.PASSED
    return report


def test_the_newest_that_passed_counts_and_not_one_that_proved_less() -> None:
    old, new = passed(30), passed(20)

    assert newest_passed(contents(old, new, not_proven(1))) == new.ended_at


def test_without_one_that_passed_nothing_is_proven() -> None:
    assert newest_passed(contents(not_proven(1))) is None
    assert newest_passed(()) is None


def test_a_report_that_cannot_be_read_proves_nothing() -> None:
    assert newest_passed(("{}", *contents(passed(3)))) == passed(3).ended_at
