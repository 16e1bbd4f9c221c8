"""Builds as the command line meets them."""

from datetime import UTC, date, datetime, timedelta

from steadfleet_cli.executions import Execution
from steadfleet_cli.image.reading import Standing
from steadfleet_cli.pending import Step
from steadfleet_core.image.golden import Severity
from steadfleet_core.image.order import Base, BuiltImage
from steadfleet_core.image.report import (
    CheckResult,
    Examination,
    Finding,
    GateReport,
    ImageState,
    ImageStatus,
    Place,
    PlaceState,
    TestVerdict,
)
from steadfleet_core.model import digest_of

BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DIGEST = digest_of(b"anything")
LOG = digest_of(b"packer's log")


def minutes(count: float) -> datetime:
    return BEGAN + timedelta(minutes=count)


def examined() -> Examination:
    """Return two checks that passed and one that did not."""
    passed, failed = TestVerdict.PASSED, TestVerdict.FAILED
    results = (
        CheckResult(name="boots", type="command", verdict=passed, seconds=1.25),
        CheckResult(name="nginx answers", type="http", verdict=failed, reason="answered 502", seconds=60),
    )
    return Examination(
        results=results,
        tests=DIGEST,
        sbom=DIGEST,
        components=312,
        machine="i-1",
        started_at=minutes(6),
        ended_at=minutes(8),
    )


def judged() -> GateReport:
    blocking = Finding(
        id="CVE-2026-1",
        package="openssl",
        version="3.0.1",
        severity=Severity.CRITICAL,
        fixed_in="3.0.2",
        blocks=True,
    )
    waived = Finding(
        id="CVE-2026-2",
        package="zlib",
        version="1.3",
        severity=None,
        waived_until=date(2027, 1, 31),
        waiver_reason="not reachable",
        blocks=False,
    )
    return GateReport(looked_up=312, found=9, blocking=1, waived=1, findings=(blocking, waived))


def places() -> tuple[Place, ...]:
    ready = Place(
        name="eu-west-1",
        required=True,
        state=PlaceState.READY,
        id="ami-1",
        content=DIGEST,
        attestations=("s3://steadfleet-attestations/ami/ami-1/1.sigstore.json",),
    )
    return ready, Place(name="us-east-1", required=True, state=PlaceState.FAILED, reason="no capacity")


def status(**changes: object) -> ImageStatus:
    halted = ImageStatus(
        family="web",
        version="1.4.2",
        labels={"ticket": "OPS-7"},
        state=ImageState.HALTED,
        reason="us-east-1: no capacity",
        requested_by="ann",
        order=DIGEST,
        run="image-web-1.4.2-0",
        key=DIGEST,
        base=Base(id="ami-0ba5e", name="debian-12"),
        built=BuiltImage(id="ami-1", log=LOG, started_at=minutes(0), ended_at=minutes(5)),
        examination=examined(),
        gate=judged(),
        places=places(),
        started_at=BEGAN,
    )
    return halted.model_copy(update=changes)


def execution(ended_at: datetime | None = None, word: str = "", **attributes: object) -> Execution:
    return Execution(
        workflow_id="image/web/1.4.2",
        run_id="run-1",
        status=word or ("completed" if ended_at else "running"),
        open=ended_at is None,
        started_at=BEGAN,
        ended_at=ended_at,
        attributes=attributes,
    )


def step(**changes: object) -> Step:
    facts = {"activity": "build_image", "attempt": 1, "since": minutes(0), "said": "packer: Waiting for SSH"}
    return Step(**{**facts, **changes})  # type: ignore[arg-type]  # what tests name


def standing(
    ended_at: datetime | None = None, steps: tuple[Step, ...] = (), silent: str = "", **changes: object
) -> Standing:
    return Standing(status(**changes), execution(ended_at), steps, silent)
