"""What `start` shows and asks before anything happens."""

import click
import pytest

from fakes.fleet import NEW, hosts_over_zones
from fakes.worker import policy
from steadfleet_cli.campaign import planning
from steadfleet_cli.campaign.launch import Launch
from steadfleet_cli.campaign.launch_text import launch_text
from steadfleet_core.campaign.forecast import preview_of
from steadfleet_core.campaign.plan import CampaignOrder, Preview, draw_up
from steadfleet_core.campaign.waves import plan_waves

PLAN = "sha256:" + "0123456789abcdef" * 4


def order(**approval: object) -> CampaignOrder:
    return CampaignOrder(policy=policy(approval=approval), requested_by="ann")


def preview(order: CampaignOrder) -> Preview:
    waves = plan_waves(hosts_over_zones(24), order.policy.spec.strategy)
    return preview_of(draw_up(order, NEW, (), waves)[0], order.policy.spec)


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record what is asked on a terminal; the answer is no."""
    asked: list[str] = []

    def confirm(text: str, *, abort: bool) -> None:
        asked.append(text)
        raise click.Abort

    monkeypatch.setattr(planning, "_on_terminal", lambda: True)
    monkeypatch.setattr(click, "confirm", confirm)
    return asked


def test_where_no_approval_is_demanded_a_person_is_asked(
    questions: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    unguarded = order(required=False)

    with pytest.raises(click.Abort):
        planning._present(unguarded, preview(unguarded), output="text", yes=False)

    assert questions == ["No approval is demanded: change 24 hosts to ami-0000000000000002 now?"]
    assert "boundaries" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("required", "output", "yes"), [(True, "text", False), (False, "text", True), (False, "json", False)]
)
def test_otherwise_nobody_is_asked(questions: list[str], output: str, *, required: bool, yes: bool) -> None:
    asked = order(required=required)

    planning._present(asked, preview(asked), output=output, yes=yes)

    assert questions == []


def test_the_next_step_names_who_may_approve_which_plan() -> None:
    launch = Launch(campaign="web", workflow_id="campaign/web", attached=False, ui="", plan=PLAN)

    said = launch_text(launch, order(minimumApprovers=2, allowedApprovers=["bob", "cleo"]))

    assert "2 must approve, each bob or cleo" in said
    assert "campaign approve web --plan 0123456789ab" in said


def test_an_attached_campaign_may_have_been_approved_already() -> None:
    launch = Launch(campaign="web", workflow_id="campaign/web", attached=True, ui="", plan=PLAN)

    said = launch_text(launch, order())

    assert "attached, nothing was started" in said
    assert "approve" not in said
