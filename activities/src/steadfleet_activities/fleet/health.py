"""Judge one machine by its probes in a row. Pure: it knows neither clock nor network."""

from dataclasses import dataclass
from enum import StrEnum

from steadfleet_core.campaign.policy import HealthChecks


class Answer(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It could not be asked: never a pass, and no fault of the machine's either."""


@dataclass(frozen=True)
class Finding:
    """What one round of all checks came to; `said` is for a person, of the first that did not pass."""

    answer: Answer
    said: str = ""


@dataclass
class Streak:
    """
    The probes of one machine so far, as a run of equal findings.

    `healthy` after `success_threshold` passes in a row. `fallen` after `failure_threshold` rounds
    in a row that did not pass, once it had passed: before its first pass a machine may be starting
    still, and only the deadline condemns it. `ill` does not wait for a first pass: it is for
    machines that served already.
    """

    checks: HealthChecks
    passed: int = 0
    failed: int = 0
    unknown: int = 0
    ever_passed: bool = False
    last: Finding = Finding(Answer.UNKNOWN, "was not looked at")

    def note(self, finding: Finding) -> None:
        self.last = finding
        if finding.answer is Answer.PASSED:
            self.passed, self.failed, self.unknown, self.ever_passed = self.passed + 1, 0, 0, True
        else:
            self.passed, self.failed = 0, self.failed + 1
            self.unknown += finding.answer is Answer.UNKNOWN

    @property
    def judged(self) -> bool:
        """Whether a fresh machine needs no further round."""
        return self.healthy or self.fallen

    @property
    def answered(self) -> bool:
        """Whether a machine that served already needs no further round."""
        return self.passed > 0 or self.ill

    @property
    def healthy(self) -> bool:
        return self.passed >= self.checks.success_threshold

    @property
    def fallen(self) -> bool:
        return self.ever_passed and self.ill

    @property
    def ill(self) -> bool:
        return self.failed >= self.checks.failure_threshold

    @property
    def unseen(self) -> bool:
        """Whether nothing is known: not one of the rounds that did not pass had an answer."""
        return self.unknown == self.failed > 0

    def reason(self) -> str:
        """Say what was wrong, and how often in a row."""
        if self.last.answer is Answer.PASSED:
            return f"passed {self.passed} in a row, expected {self.checks.success_threshold}"
        return f"{self.last.said} ({self.failed} in a row)"
