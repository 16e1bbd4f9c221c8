"""What an order may demand, and nobody could ever meet: refused, never ignored."""

from steadfleet_core.campaign.plan import CampaignOrder
from steadfleet_core.errors import RefusedError


def refuse_order(order: CampaignOrder) -> None:
    """Raise `RefusedError` for what could never end well, whoever started it and however.

    The command line asks first; the campaign asks again, since an order can reach it otherwise.
    """
    approval = order.policy.spec.approval
    allowed = set(approval.allowed_approvers or approval.keys)
    others = allowed - {order.requested_by}
    if approval.required and allowed and len(others) < approval.minimum_approvers:
        left = f"{len(others)} of {approval.minimum_approvers} approvers"
        raise RefusedError(
            f"{order.policy.metadata.name}: spec.approval.allowedApprovers — {order.requested_by} requested "
            f"it and may not approve it, which leaves {left}: name more"
        )
