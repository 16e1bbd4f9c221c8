"""What a policy may be written to demand, and this release cannot do: refused, never ignored."""

from collections.abc import Mapping
from types import MappingProxyType

from steadfleet_core.campaign.plan import CampaignOrder
from steadfleet_core.campaign.policy import PatchPolicy
from steadfleet_core.errors import NotBuiltError, RefusedError

NOT_BUILT = MappingProxyType(
    {
        "spec.fleet.selector.platforms": "every host is on aws",
        "spec.fleet.selector.regions": "a worker serves one region",
        "spec.fleet.selector.imageFamilies": "",
        "spec.fleet.selector.excludeTags": "leave hosts out by excludeHosts",
        "spec.source": "name an image at spec.image",
        "spec.packages": "name an image at spec.image",
        "spec.strategy.blueGreen": "",
        "spec.strategy.maintenanceWindow": "",
        "spec.strategy.canary.analysis": "waves are judged by spec.healthChecks",
        "spec.maintenanceWindows": "",
        "spec.hooks": "",
        "spec.analysis": "waves are judged by spec.healthChecks",
        "spec.rollback.strategy": "hosts go back to the image that they ran before",
        "spec.rollback.retainFailedAssets": "",
        "spec.notifications": "",
        "spec.schedule": "start the campaign with the command line",
        "spec.compliance": "",
    }
)
"""Fields of the design, or of the contract that we are measured against, with what to do meanwhile."""

NOT_BUILT_VALUES = MappingProxyType(
    {
        "kind": {"GoldenImage", "DrillPlan"},
        "spec.strategy.type": {"blue-green", "maintenance-window"},
        "spec.healthChecks.checks[].type": {"metric"},
    }
)

MOVED = MappingProxyType(
    {
        "metadata.namespace": "an environment to be a namespace of Temporal",
        "metadata.annotations": "metadata.labels",
        "spec.selector": "spec.fleet.selector",
        "spec.fleet.selector.environments": "an environment to be a namespace of Temporal",
        "spec.fleet.selector.excludeAssets": "spec.fleet.selector.excludeHosts",
        "spec.strategy.rolling.maxUnavailable": "spec.disruptionBudget.overall",
        "spec.strategy.rolling.maxSurge": "spec.disruptionBudget.overall: replacements are launched beside",
        "spec.strategy.rolling.pauseBetweenBatches": "spec.bake.time",
        "spec.strategy.canary.initialPercentage": "spec.strategy.canary.initial",
        "spec.strategy.canary.autoPromote": "spec.bake.time: a healthy wave lets the next begin",
        "spec.healthCheck": "spec.healthChecks",
        "spec.healthChecks.enabled": "health checks always: nothing else can judge a wave",
        "spec.rollback.enabled": "spec.rollback.automatic",
        "spec.rollback.onFailurePercentage": "spec.failureTolerance.hosts",
        "spec.approval.minApprovers": "spec.approval.minimumApprovers",
        "spec.approval.autoApproveFor": "spec.approval.required: false",
    }
)
"""Fields that other contracts have, and what says it here."""


def refuse_unmet(policy: PatchPolicy) -> None:
    """Raise `NotBuiltError` with a line for each demand that this release has nothing to answer with."""
    demands: Mapping[str, bool] = {
        "spec.image.signed: true — no signature can be verified yet, so no image may pass as signed; "
        "sign and verify the image yourself and write signed: false": policy.spec.image.signed,
        "spec.approval.proven: true — no approval can be proven yet, so nothing may answer yes; "
        "write proven: false to accept the names that Temporal's access control lets in": (
            policy.spec.approval.proven
        ),
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
    others = set(approval.allowed_approvers) - {order.requested_by}
    if approval.required and approval.allowed_approvers and len(others) < approval.minimum_approvers:
        left = f"{len(others)} of {approval.minimum_approvers} approvers"
        raise RefusedError(
            f"{order.policy.metadata.name}: spec.approval.allowedApprovers — {order.requested_by} requested "
            f"it and may not approve it, which leaves {left}: name more"
        )
