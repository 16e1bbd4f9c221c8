import pytest

from steadfleet_local_cloud.probes import Failure, _accepts
from steadfleet_local_cloud.target_health import Streak

FAILED = Failure("Target.Timeout", "Request timed out")


def states(outcomes: str, *, healthy_after: int = 3, unhealthy_after: int = 2) -> list[str]:
    """Return the state after each outcome: + passed, - failed."""
    streak, seen = Streak(target={}), []
    for outcome in outcomes:
        streak.note(None if outcome == "+" else FAILED, healthy_after, unhealthy_after)
        seen.append(streak.health[0])
    return seen


def test_one_pass_makes_a_new_target_healthy() -> None:
    assert states("+") == ["healthy"]


def test_a_target_turns_only_after_its_thresholds() -> None:
    assert states("+-+--") == ["healthy", "healthy", "healthy", "healthy", "unhealthy"]
    assert states("--++-+++")[-4:] == ["unhealthy", "unhealthy", "unhealthy", "healthy"]


def test_a_new_target_that_fails_is_initial_first() -> None:
    assert states("--") == ["initial", "unhealthy"]


@pytest.mark.parametrize(
    ("codes", "code", "accepted"),
    [
        ("200", 200, True),
        ("200", 201, False),
        ("200,302", 302, True),
        ("200-299,301", 250, True),
        ("200-299", 300, False),
    ],
)
def test_the_matcher_reads_lists_and_ranges(codes: str, code: int, *, accepted: bool) -> None:
    assert _accepts(codes, code) is accepted
