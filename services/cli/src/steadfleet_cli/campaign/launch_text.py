"""What `campaign start` says when it has started, or attached."""

from collections.abc import Iterator

from steadfleet_cli.campaign.launch import Launch
from steadfleet_cli.campaign.plan_text import short
from steadfleet_core.campaign.plan import CampaignOrder


def launch_text(launch: Launch, order: CampaignOrder) -> str:
    return "\n".join(_lines(launch, order))


def _lines(launch: Launch, order: CampaignOrder) -> Iterator[str]:
    if launch.attached:
        yield f"campaign {launch.campaign} runs already with the same order: attached, nothing was started"
    else:
        yield f"campaign {launch.campaign} started"
    yield from (f"note: {note}" for note in launch.notes)
    if launch.ui:
        yield f"ui: {launch.ui}"
    yield from _next(launch, order)


def _next(launch: Launch, order: CampaignOrder) -> Iterator[str]:
    name, approval = launch.campaign, order.policy.spec.approval
    if launch.attached:
        yield f"next: campaign status {name}, or campaign watch {name}"
    elif approval.required and launch.plan:
        who = " or ".join(approval.allowed_approvers) or "somebody other than " + order.requested_by
        count = approval.minimum_approvers
        yield f"next: {count} must approve, each {who}:" if count > 1 else f"next: {who} approves:"
        yield f"      campaign approve {name} --plan {short(launch.plan)}"
        yield f"      campaign watch {name}"
    else:
        yield f"next: campaign watch {name}"
