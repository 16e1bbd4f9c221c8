"""Try every delete that a sweep may need, as AWS's dry run: it checks permissions and does nothing."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from steadfleet_activities.configuring import ATTESTATIONS
from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.clients import Aws
from steadfleet_activities.fleet.errors import code_of
from steadfleet_activities.janitor.inventory import Inventory, attested
from steadfleet_activities.janitor.scope import Scope

NOWHERE = "0" * 17
"""The id of nothing: a dry run of a delete needs one, and there is nothing to delete yet."""

_REFUSALS = frozenset(
    {
        "UnauthorizedOperation",
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "OptInRequired",
    }
)


def refusals(aws: Aws, scope: Scope, bundles: str = ATTESTATIONS) -> list[str]:
    """Name each call that AWS would refuse here; an answer that makes no sense is raised."""
    ec2 = aws.ec2
    calls: dict[str, Callable[[], Any]] = {
        "ec2:TerminateInstances": lambda: ec2.terminate_instances(InstanceIds=[f"i-{NOWHERE}"], DryRun=True),
        "ec2:DeleteVolume": lambda: ec2.delete_volume(VolumeId=f"vol-{NOWHERE}", DryRun=True),
        "ec2:DeregisterImage": lambda: ec2.deregister_image(ImageId=f"ami-{NOWHERE}", DryRun=True),
        "ec2:DeleteSnapshot": lambda: ec2.delete_snapshot(SnapshotId=f"snap-{NOWHERE}", DryRun=True),
        "ec2:DeleteKeyPair": lambda: ec2.delete_key_pair(KeyName=f"none-{NOWHERE}", DryRun=True),
        "ec2:DeleteSecurityGroup": lambda: ec2.delete_security_group(GroupId=f"sg-{NOWHERE}", DryRun=True),
        "ec2:CreateTags": lambda: ec2.create_tags(
            Resources=[f"snap-{NOWHERE}"], Tags=[{"Key": tags.RUN, "Value": "rehearsal"}], DryRun=True
        ),
        "to look at what there is": lambda: Inventory(aws).look(scope),
    }
    if scope.names:  # of images, for which something may be signed; S3 has no dry run of a delete
        calls["s3:ListBucket"] = lambda: attested(aws, bundles, f"ami-{NOWHERE}")
    found = [_refusal(action, call, aws.region) for action, call in calls.items()]
    return [said for said in found if said is not None]


def _refusal(action: str, call: Callable[[], Any], region: str) -> str | None:
    try:
        call()
    except ClientError as error:
        code = code_of(error)
        if code in _REFUSALS:
            return f"{action} in {region} is refused ({code}): allow it to the janitor's role (docs/aws.md)"
        if code != "DryRunOperation" and not code.endswith((".NotFound", ".Malformed", ".Unavailable")):
            raise
    return None
