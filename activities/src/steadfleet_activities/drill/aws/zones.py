"""The drill's own private zone, and the records in it."""

from typing import TYPE_CHECKING

from steadfleet_activities.drill.aws.clients import DrillAws
from steadfleet_activities.drill.aws.ensuring import ensured
from steadfleet_activities.drill.aws.names import tags_of, zone_of
from steadfleet_activities.image.amis import written_tags
from steadfleet_core.drill.order import Drill

if TYPE_CHECKING:
    from mypy_boto3_elbv2.type_defs import LoadBalancerTypeDef
    from mypy_boto3_route53.type_defs import HostedZoneTypeDef


def ensured_zone(aws: DrillAws, drill: Drill, vpc: str) -> str:
    """Make the zone. The run is its caller's reference, which finds it also before it is tagged."""
    name = zone_of(drill.run, drill.plan.spec.recovery.zone)

    def look() -> "HostedZoneTypeDef | None":
        answer = aws.route53.list_hosted_zones_by_name(DNSName=name)
        ours = (one for one in answer["HostedZones"] if one["CallerReference"] == drill.run)
        return next((one for one in ours if one["Name"].rstrip(".") == name), None)

    def create() -> None:
        aws.once.route53.create_hosted_zone(
            Name=name,
            CallerReference=drill.run,
            VPC={"VPCRegion": aws.region, "VPCId": vpc},  # type: ignore[typeddict-item]
            HostedZoneConfig={"Comment": f"A drill of {drill.plan.name}", "PrivateZone": True},
        )

    zone = ensured(f"the zone {name}", look, create)["Id"].removeprefix("/hostedzone/")
    # Route 53 takes no tags in the call that makes a zone.
    aws.route53.change_tags_for_resource(
        ResourceType="hostedzone", ResourceId=zone, AddTags=written_tags(tags_of(drill))
    )
    return zone


def point(aws: DrillAws, zone: str, name: str, balancer: "LoadBalancerTypeDef") -> None:
    """Let a name lead to a load balancer; as often as one likes."""
    aws.route53.change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={
            "Changes": [
                {
                    "Action": "UPSERT",
                    "ResourceRecordSet": {
                        "Name": name,
                        "Type": "A",
                        "AliasTarget": {
                            "HostedZoneId": balancer["CanonicalHostedZoneId"],
                            "DNSName": balancer["DNSName"],
                            "EvaluateTargetHealth": False,
                        },
                    },
                }
            ]
        },
    )
