"""Whatever answer is lost, and however often a step is tried: each thing is made once."""

from collections import Counter
from typing import Any

import pytest
from integration.drill.aws.stage import Stage
from temporalio.exceptions import ApplicationError

from steadfleet_activities.drill.aws import stores
from steadfleet_activities.drill.aws.clients import DrillAws
from steadfleet_activities.drill.aws.copies import Copy
from steadfleet_activities.drill.aws.names import tags_of
from steadfleet_core.drill.steps import StepKind

pytestmark = pytest.mark.slow

_BACKUP = [
    "CreateSecurityGroup",
    "CreateDBSubnetGroup",
    "CreateHostedZone",
    "ChangeTagsForResource",
    "CopyDBSnapshot",
    "RestoreDBInstanceFromDBSnapshot",
    "CreateTargetGroup",
    "CreateLoadBalancer",
    "CreateListener",
    "ChangeResourceRecordSets",
    "CreateLaunchTemplate",
    "CreateAutoScalingGroup",
]
_LIVE = ["CreateDBInstanceReadReplica", "PromoteReadReplica"]


async def test_lost_answers_and_second_tries_double_nothing(stage: Stage) -> None:
    faults = {action: stage.cloud.add_fault("lost", action=action, count=1) for action in _BACKUP}
    drill = await stage.prepare(stage.plan(), "run-lost")
    made = await stage.recover(drill)
    assert {action for action, fault in faults.items() if fault.struck != 1} == set()

    again = await stage.recover(drill, made=dict(made))
    assert again == made
    assert _counted(stage, "run-lost") == {
        "security_groups": 1,
        "db_subnet_groups": 1,
        "db_instances": 1,
        "db_snapshots": 1,
        "hosted_zones": 1,
        "target_groups": 1,
        "load_balancers": 1,
        "launch_templates": 1,
        "auto_scaling_groups": 1,
        "instances": 2,
    }


async def test_a_replica_and_its_promotion_survive_lost_answers(stage: Stage) -> None:
    faults = [stage.cloud.add_fault("lost", action=action, count=1) for action in _LIVE]
    drill = await stage.prepare(stage.plan("pilot-light", services=[]), "run-lost-live")
    made = await stage.recover(drill)
    assert [fault.struck for fault in faults] == [1, 1]
    assert (await stage.recover(drill, {StepKind.RESTORE}, dict(made))) == made
    assert _counted(stage, "run-lost-live")["db_instances"] == 1


async def test_all_that_is_made_carries_the_run(stage: Stage) -> None:
    drill = await stage.prepare(stage.plan(), "run-lost")
    made = await stage.recover(drill)
    wanted = tags_of(drill)
    database = stage.recovery.rds.describe_db_instances(DBInstanceIdentifier="run-lost-orders")
    assert {one["Key"] for one in database["DBInstances"][0]["TagList"]} >= set(wanted)
    machines = stage.recovery.ec2.describe_instances(InstanceIds=made["start web"]["machines"].split(","))
    for reservation in machines["Reservations"]:
        for machine in reservation["Instances"]:
            assert {one["Key"] for one in machine["Tags"]} >= set(wanted)
    zone = stage.recovery.route53.list_tags_for_resource(
        ResourceType="hostedzone", ResourceId=made["isolate"]["hosted_zone"]
    )
    assert {one["Key"] for one in zone["ResourceTagSet"]["Tags"]} == set(wanted)


async def test_a_network_of_its_own_is_made_once_and_lets_nothing_out(stage: Stage) -> None:
    """In a region whose default VPC is no local cloud's."""
    region = "us-east-1"
    drill = (await stage.prepare(stage.plan(services=[]), "run-own")).model_copy(update={"region": region})
    faults = [stage.cloud.add_fault("lost", action=one, count=1) for one in ("CreateVpc", "CreateSubnet")]

    made = await stage.recover(drill, {StepKind.ISOLATE})
    again = await stage.recover(drill, {StepKind.ISOLATE})

    assert [fault.struck for fault in faults] == [1, 1]
    assert again == made
    assert made["isolate"]["network"] == "own vpc"
    aws = DrillAws.connect(**stage.cloud.client_settings_for(region))
    tagged: Any = [{"Name": "tag:steadfleet:run", "Values": ["run-own"]}]
    (vpc,) = aws.ec2.describe_vpcs(Filters=tagged)["Vpcs"]
    assert len(aws.ec2.describe_subnets(Filters=tagged)["Subnets"]) == 2
    (group,) = aws.ec2.describe_security_groups(Filters=tagged)["SecurityGroups"]
    outward = [said["CidrIp"] for rule in group["IpPermissionsEgress"] for said in rule["IpRanges"]]
    assert outward == [vpc["CidrBlock"]]


class _BlindCopy(Copy):
    """Never finds what was made before."""

    def found(self) -> Any:
        return None


async def test_a_driver_that_does_not_look_is_noticed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    drill = await stage.prepare(stage.plan(services=[]), "run-blind")
    made = await stage.recover(drill, {StepKind.ISOLATE})
    monkeypatch.setattr(stores, "Copy", _BlindCopy)
    stage.cloud.add_fault("lost", action="RestoreDBInstanceFromDBSnapshot", count=1)
    with pytest.raises(ApplicationError, match="no answer from AWS"):
        await stage.recover(drill, {StepKind.RESTORE}, made)


def _counted(stage: Stage, run: str) -> dict[str, int]:
    """Count what is called after the run or tagged with it, in the recovery region."""
    found: Counter[str] = Counter()
    aws = stage.recovery
    tagged: Any = [{"Name": "tag:steadfleet:run", "Values": [run]}]
    found["security_groups"] = len(aws.ec2.describe_security_groups(Filters=tagged)["SecurityGroups"])
    found["launch_templates"] = len(aws.ec2.describe_launch_templates(Filters=tagged)["LaunchTemplates"])
    reservations = aws.ec2.describe_instances(Filters=tagged)["Reservations"]
    found["instances"] = sum(len(one["Instances"]) for one in reservations)
    named: dict[str, list[str]] = {
        "db_instances": [
            one["DBInstanceIdentifier"] for one in aws.rds.describe_db_instances()["DBInstances"]
        ],
        "db_snapshots": [
            one["DBSnapshotIdentifier"]
            for one in aws.rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
        ],
        "db_subnet_groups": [
            one["DBSubnetGroupName"] for one in aws.rds.describe_db_subnet_groups()["DBSubnetGroups"]
        ],
        "target_groups": [
            one["TargetGroupName"] for one in aws.elbv2.describe_target_groups()["TargetGroups"]
        ],
        "load_balancers": [
            one["LoadBalancerName"] for one in aws.elbv2.describe_load_balancers()["LoadBalancers"]
        ],
        "auto_scaling_groups": [
            one["AutoScalingGroupName"]
            for one in aws.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        ],
        "hosted_zones": [one["CallerReference"] for one in aws.route53.list_hosted_zones()["HostedZones"]],
    }
    ours = (run, f"{run}-orders", f"{run}-web")
    found |= Counter({kind: sum(name in ours for name in names) for kind, names in named.items()})
    return {kind: count for kind, count in found.items() if count}
