"""What a check came to, as it is stored by digest, and as the report shows it."""

from enum import StrEnum

from steadfleet_activities.image.examining.machine import Captured, Ran
from steadfleet_core.image.report import CheckResult, TestVerdict
from steadfleet_core.model import Model

_MOST_SHOWN = 2000


class Case(Model):
    """One test of a testinfra file."""

    __test__ = False

    name: str
    verdict: TestVerdict | None
    """None: it was skipped."""
    reason: str = ""
    seconds: float = 0.0


class Found(Model):
    """How one check ended. `overdue` says that its time limit ended it; output may be cut short."""

    verdict: TestVerdict
    reason: str = ""
    overdue: bool = False
    exit_status: int | None = None
    stdout: str = ""
    stderr: str = ""
    output_cut: bool = False
    cases: tuple[Case, ...] = ()


class Stored(Model):
    """One check with all that is known of it."""

    result: CheckResult
    found: Found


class TestRecord(Model):
    """The object `tests/<digest>.json`."""

    __test__ = False

    image: str
    machine: str
    run: str
    checks: tuple[Stored, ...]


class Why(StrEnum):
    """Reasons that more than one place gives."""

    NOT_BOOTED = "the machine did not boot"


def passed(ran: Ran | None = None) -> Found:
    return _found(TestVerdict.PASSED, "", ran)


def failed(reason: str, ran: Ran | None = None, *, overdue: bool = False) -> Found:
    return _found(TestVerdict.FAILED, reason, ran, overdue=overdue)


def error(reason: str, ran: Ran | None = None) -> Found:
    return _found(TestVerdict.ERROR, reason, ran)


def last_line(captured: Captured) -> str:
    lines = str(captured).strip().splitlines()
    return lines[-1].strip() if lines else ""


def shown(reason: str) -> str:
    """Keep a reason from breaking a terminal or filling a payload; its lines stay."""
    clean = "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in reason.strip())
    return clean if len(clean) <= _MOST_SHOWN else clean[: _MOST_SHOWN - 1] + "…"


def _found(verdict: TestVerdict, reason: str, ran: Ran | None, *, overdue: bool = False) -> Found:
    ran = ran or Ran(None)
    return Found(
        verdict=verdict,
        reason=shown(reason),
        overdue=overdue,
        exit_status=ran.exit_status,
        stdout=str(ran.stdout),
        stderr=str(ran.stderr),
        output_cut=ran.stdout.cut or ran.stderr.cut,
    )
