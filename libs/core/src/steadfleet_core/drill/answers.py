"""What a drill plan is answered where it says what it cannot say: refused, never ignored."""

from types import MappingProxyType

from steadfleet_core.answers import Answers

ANSWERS = Answers(
    not_built=MappingProxyType(
        {
            "spec.approval": "start the drill by hand when it is approved, or pause its schedule",
            "spec.notifications": "",
            "spec.failback": "a drill recovers a copy: production is never left",
            "spec.faults": "",
            "spec.dependsOn": "services depend on stores and services, at spec.services",
        }
    ),
    not_built_values=MappingProxyType(
        {
            "spec.mode": {"failover", "failback", "full", "partial"},
            "spec.strategy": {"active-active", "multi-site"},
            "spec.stores[].type": {"mysql", "s3", "dynamodb", "ebs", "aurora"},
            "spec.services[].type": {"kubernetes", "ecs", "lambda"},
        }
    ),
    moved=MappingProxyType(
        {
            "spec.rto": "spec.objectives.rto",
            "spec.rpo": "spec.objectives.rpo",
            "spec.region": "spec.recovery.region",
            "spec.recoveryRegion": "spec.recovery.region",
            "spec.databases": "spec.stores",
            "spec.checks": "spec.validations",
            "spec.cron": "spec.schedule.cron",
            "metadata.annotations": "metadata.labels",
        }
    ),
)
