"""What a policy may be written to demand, and this release cannot do: refused, never ignored."""

from collections.abc import Mapping

from steadfleet_core.campaign.plan import CampaignOrder
from steadfleet_core.campaign.policy import PatchPolicy
from steadfleet_core.errors import NotBuiltError, RefusedError


def refuse_unmet(policy: PatchPolicy) -> None:
    """Raise `NotBuiltError` with a line for each demand that this release has nothing to answer with."""
    demands: Mapping[str, bool] = {
        "spec.image.signed: true — no signature can be verified yet, so no image may pass as signed; "
        "sign and verify the image yourself and write signed: false": policy.spec.image.signed,
    }
    unmet = [f"{policy.metadata.name}: {demand}" for demand, made in demands.items() if made]
    if unmet:
        raise NotBuiltError("\n".join(unmet))


def refuse_order(order: CampaignOrder) -> None:
    """Raise `RefusedError` for what could never end well, whoever started it and however.

    The command line asks first; the campaign asks again, since an order can reach it otherwise.
    """
    refuse_unmet(order.policy)
    approval = order.policy.spec.approval
    allowed = set(approval.allowed_approvers or approval.keys)
    others = allowed - {order.requested_by}
    if approval.required and allowed and len(others) < approval.minimum_approvers:
        left = f"{len(others)} of {approval.minimum_approvers} approvers"
        raise RefusedError(
            f"{order.policy.metadata.name}: spec.approval.allowedApprovers — {order.requested_by} requested "
            f"it and may not approve it, which leaves {left}: name more"
        )
