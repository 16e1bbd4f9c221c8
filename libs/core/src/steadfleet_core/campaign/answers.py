"""What a policy is answered where it says what it cannot say: refused, never ignored."""

from types import MappingProxyType

from steadfleet_core.answers import Answers

ANSWERS = Answers(
    not_built=MappingProxyType(
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
    ),
    not_built_values=MappingProxyType(
        {
            "spec.strategy.type": {"blue-green", "maintenance-window"},
            "spec.healthChecks.checks[].type": {"metric"},
        }
    ),
    moved=MappingProxyType(
        {
            "metadata.namespace": "an environment to be a namespace of Temporal",
            "metadata.annotations": "metadata.labels",
            "spec.selector": "spec.fleet.selector",
            "spec.fleet.selector.environments": "an environment to be a namespace of Temporal",
            "spec.fleet.selector.excludeAssets": "spec.fleet.selector.excludeHosts",
            "spec.strategy.rolling.maxUnavailable": "spec.disruptionBudget.overall",
            "spec.strategy.rolling.maxSurge": "spec.disruptionBudget.overall: replacements come beside",
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
    ),
)
