"""Try every delete that a sweep may need, as AWS's dry run: it checks permissions and does nothing."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from steadfleet_activities.configuring import ATTESTATIONS
from steadfleet_activities.dry_runs import NOWHERE, refused
from steadfleet_activities.fleet import tags
from steadfleet_activities.janitor.clients import JanitorAws
from steadfleet_activities.janitor.found import Found
from steadfleet_activities.janitor.inventory import LOOKS, Inventory, attested
from steadfleet_activities.janitor.scope import Scope
from steadfleet_activities.janitor.zones import GLOBAL, Zones

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef

WORKER = "janitor"


def refusals(aws: JanitorAws, scope: Scope, bundles: str = ATTESTATIONS) -> list[str]:
    """Name each call that AWS would refuse here; an answer that makes no sense is raised.

    Of what has no dry run (Auto Scaling, load balancers, RDS) the look alone is tried.
    """
    calls: dict[str, Callable[[], Any]] = {
        **_machine_deletes(aws),
        **_network_deletes(aws),
        "to look at what there is": lambda: Inventory(aws).look_at_machines(scope),
        **{f"to look at {what}": partial(look, aws, scope, Found()) for what, look in LOOKS.items()},
    }
    if scope.names:  # of images, for which something may be signed; S3 has no dry run of a delete
        calls["s3:ListBucket"] = lambda: attested(aws, bundles, f"ami-{NOWHERE}")
    return list(refused(calls, aws.region, WORKER))


def global_refusals(aws: JanitorAws, scope: Scope) -> list[str]:
    """Likewise of Route 53, which has no dry run either, and no regions."""
    looks = {"to look at private hosted zones": lambda: Zones(aws).look(scope)}
    return list(refused(looks, GLOBAL, WORKER))


def _machine_deletes(aws: JanitorAws) -> dict[str, Callable[[], Any]]:
    ec2 = aws.ec2
    return {
        "ec2:TerminateInstances": lambda: ec2.terminate_instances(InstanceIds=[f"i-{NOWHERE}"], DryRun=True),
        "ec2:DeleteVolume": lambda: ec2.delete_volume(VolumeId=f"vol-{NOWHERE}", DryRun=True),
        "ec2:DeregisterImage": lambda: ec2.deregister_image(ImageId=f"ami-{NOWHERE}", DryRun=True),
        "ec2:DeleteSnapshot": lambda: ec2.delete_snapshot(SnapshotId=f"snap-{NOWHERE}", DryRun=True),
        "ec2:DeleteKeyPair": lambda: ec2.delete_key_pair(KeyName=f"none-{NOWHERE}", DryRun=True),
        "ec2:DeleteSecurityGroup": lambda: ec2.delete_security_group(GroupId=f"sg-{NOWHERE}", DryRun=True),
        "ec2:CreateTags": lambda: ec2.create_tags(
            Resources=[f"snap-{NOWHERE}"], Tags=[{"Key": tags.RUN, "Value": "rehearsal"}], DryRun=True
        ),
    }


def _network_deletes(aws: JanitorAws) -> dict[str, Callable[[], Any]]:
    ec2, group, vpc = aws.ec2, f"sg-{NOWHERE}", f"vpc-{NOWHERE}"
    table, gateway = f"rtb-{NOWHERE}", f"igw-{NOWHERE}"
    rules: list[IpPermissionTypeDef] = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}]
    return {
        "ec2:DeleteLaunchTemplate": lambda: ec2.delete_launch_template(
            LaunchTemplateId=f"lt-{NOWHERE}", DryRun=True
        ),
        "ec2:RevokeSecurityGroupIngress": lambda: ec2.revoke_security_group_ingress(
            GroupId=group, IpPermissions=rules, DryRun=True
        ),
        "ec2:RevokeSecurityGroupEgress": lambda: ec2.revoke_security_group_egress(
            GroupId=group, IpPermissions=rules, DryRun=True
        ),
        "ec2:DeleteSubnet": lambda: ec2.delete_subnet(SubnetId=f"subnet-{NOWHERE}", DryRun=True),
        "ec2:DisassociateRouteTable": lambda: ec2.disassociate_route_table(
            AssociationId=f"rtbassoc-{NOWHERE}", DryRun=True
        ),
        "ec2:DeleteRouteTable": lambda: ec2.delete_route_table(RouteTableId=table, DryRun=True),
        "ec2:DetachInternetGateway": lambda: ec2.detach_internet_gateway(
            InternetGatewayId=gateway, VpcId=vpc, DryRun=True
        ),
        "ec2:DeleteInternetGateway": lambda: ec2.delete_internet_gateway(
            InternetGatewayId=gateway, DryRun=True
        ),
        "ec2:DeleteVpc": lambda: ec2.delete_vpc(VpcId=vpc, DryRun=True),
    }
