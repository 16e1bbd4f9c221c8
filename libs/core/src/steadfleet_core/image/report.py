"""What a build says of itself: while it runs, and at its end."""

from datetime import date, datetime
from enum import StrEnum

from pydantic import Field

from steadfleet_core.image.golden import Severity
from steadfleet_core.image.order import Base, BuiltImage, Platform
from steadfleet_core.model import Digest, Model

MOST_FINDINGS = 50


class ImageState(StrEnum):
    PREPARING = "preparing"
    BUILDING = "building"
    TESTING = "testing"
    JUDGING = "judging"
    PUBLISHING = "publishing"
    HALTED = "halted"
    RELEASING = "releasing"
    UNDOING = "undoing"
    PUBLISHED = "published"
    FAILED = "failed"
    ABORTED = "aborted"

    @property
    def closed(self) -> bool:
        return self in {ImageState.PUBLISHED, ImageState.FAILED, ImageState.ABORTED}


class TestVerdict(StrEnum):
    """A check that could not be carried out is an error: it never counts as passed."""

    __test__ = False

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"


class CheckResult(Model):
    """How one check ended; `seconds` of the worker's own clock."""

    name: str
    type: str
    verdict: TestVerdict
    reason: str = ""
    seconds: float


class Examination(Model):
    """What was found on the fresh machine: the results, each stored by digest, and the SBOM."""

    results: tuple[CheckResult, ...]
    tests: Digest
    sbom: Digest | None
    components: int = 0
    machine: str
    started_at: datetime
    ended_at: datetime

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        return tuple(result for result in self.results if result.verdict is not TestVerdict.PASSED)


class Finding(Model):
    """One advisory that matches one package of the image; waived until the day that is named."""

    id: str
    package: str
    version: str
    severity: Severity | None
    fixed_in: str | None = None
    waived_until: date | None = None
    waiver_reason: str = ""
    blocks: bool


class GateReport(Model):
    """The judgement over an SBOM: counts are whole, at most 50 findings are listed, blocking ones first."""

    advisories: Digest | None = None
    looked_up: int = 0
    found: int = 0
    blocking: int = 0
    waived: int = 0
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()


class PlaceState(StrEnum):
    WAITING = "waiting"
    COPYING = "copying"
    SIGNING = "signing"
    READY = "ready"
    RELEASED = "released"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class Place(Model):
    """A region or a registry, and the copy there.

    `content` is the digest of the image's blocks, or the manifest's; `attestations` are where the
    signed bundles lie.
    """

    name: str
    required: bool
    state: PlaceState = PlaceState.WAITING
    id: str = ""
    content: Digest | None = None
    attestations: tuple[str, ...] = ()
    reason: str = ""


class ImageStatus(Model):
    """The answer to the one query. `obligations` are what a person must still put right."""

    family: str
    version: str
    labels: dict[str, str] = {}
    state: ImageState
    reason: str = ""
    requested_by: str = ""
    order: Digest
    run: str
    key: Digest | None = None
    platform: Platform | None = None
    base: Base | None = None
    built: BuiltImage | None = None
    examination: Examination | None = None
    gate: GateReport | None = None
    places: tuple[Place, ...] = ()
    channel: str = ""
    warnings: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    started_at: datetime


class ImageReport(Model):
    """The result of a build: its last status, and when it ended."""

    status: ImageStatus
    ended_at: datetime


class ImageReceipt(Model):
    """The answer to a verb that was accepted."""

    verb: str
    by: str
    reason: str = Field(default="")
    at: datetime
    effect: str
