"""What a policy may be written to demand, and this release cannot do: refused, never ignored."""

from collections.abc import Mapping
from types import MappingProxyType

from steadfleet_core.campaign.policy import PatchPolicy
from steadfleet_core.errors import NotBuiltError

NOT_BUILT = MappingProxyType(
    {
        "metadata.namespace": "Temporal's namespace is the environment",
        "metadata.annotations": "",
        "spec.fleet.selector.platforms": "every host is on aws",
        "spec.fleet.selector.environments": "Temporal's namespace is the environment",
        "spec.fleet.selector.regions": "a worker serves one region",
        "spec.fleet.selector.imageFamilies": "",
        "spec.fleet.selector.excludeTags": "leave hosts out by excludeHosts",
        "spec.source": "name an image at spec.image",
        "spec.packages": "name an image at spec.image",
        "spec.strategy.blueGreen": "",
        "spec.strategy.maintenanceWindow": "",
        "spec.strategy.rolling.maxSurge": "each host's replacement is launched beside it",
        "spec.strategy.canary.analysis": "hosts are judged by spec.healthChecks",
        "spec.maintenanceWindow": "",
        "spec.maintenanceWindows": "",
        "spec.hooks": "",
        "spec.analysis": "hosts are judged by spec.healthChecks",
        "spec.approval.autoApproveFor": "write approval.required: false",
        "spec.notifications": "",
        "spec.schedule": "start the campaign with the command line",
        "spec.compliance": "",
    }
)
"""Fields of the design, or of the contract that we are measured against, with what to do meanwhile."""

NOT_BUILT_VALUES = MappingProxyType(
    {
        "spec.strategy.type": {"blue-green", "maintenance-window"},
        "spec.healthChecks.checks[].type": {"metric", "ssm-ping"},
        "kind": {"GoldenImage", "DrillPlan"},
    }
)

MOVED = MappingProxyType(
    {
        "spec.selector": "spec.fleet.selector",
        "spec.fleet.selector.excludeAssets": "spec.fleet.selector.excludeHosts",
        "spec.strategy.rolling.maxUnavailable": "spec.disruptionBudget.overall",
        "spec.strategy.rolling.pauseBetweenBatches": "spec.bake.time",
        "spec.strategy.canary.initialPercentage": "spec.strategy.canary.initial",
        "spec.healthCheck": "spec.healthChecks",
        "spec.rollback.enabled": "spec.rollback.automatic",
        "spec.rollback.onFailurePercentage": "spec.failureTolerance.hosts",
        "spec.approval.minApprovers": "spec.approval.minimumApprovers",
    }
)
"""Fields that other contracts write elsewhere, and the field that says it here."""


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
