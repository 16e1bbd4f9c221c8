"""An approval names the plan that waits, or a part of its digest."""

import pytest

from fakes.campaigns import PLAN
from steadfleet_cli.campaign.requests import whole_digest
from steadfleet_cli.exits import CommandError


@pytest.mark.parametrize("given", [PLAN, PLAN[7:], PLAN[7:19], "sha256:" + PLAN[7:25], PLAN[7:19].upper()])
def test_a_part_of_the_waiting_plans_digest_is_completed(given: str) -> None:
    assert whole_digest(given, PLAN) == PLAN


@pytest.mark.parametrize(("given", "code"), [("0123456789a", 2), ("plan-of-today", 2), ("", 2)])
def test_too_little_is_a_usage_error(given: str, code: int) -> None:
    with pytest.raises(CommandError) as refused:
        whole_digest(given, PLAN)

    assert refused.value.code == code


def test_another_plan_is_refused() -> None:
    with pytest.raises(CommandError, match="is not the plan that waits") as refused:
        whole_digest("0123456789ac", PLAN)

    assert refused.value.code == 3


def test_without_a_frozen_plan_there_is_none_to_approve() -> None:
    with pytest.raises(CommandError, match="no plan is frozen"):
        whole_digest(PLAN, None)
