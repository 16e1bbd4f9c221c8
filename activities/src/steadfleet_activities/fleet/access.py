"""What the worker's credentials are good for, before a campaign finds out."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from temporalio import activity

from steadfleet_activities.dry_runs import NOWHERE, refused
from steadfleet_activities.fleet import tags
from steadfleet_activities.fleet.clients import Aws
from steadfleet_activities.fleet.errors import at_the_edge, code_of
from steadfleet_activities.fleet.plans import BUCKET
from steadfleet_activities.objects import Objects, Words
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import digest_of
from steadfleet_durable import unbroken
from steadfleet_ports.access import Access, Accesses, AccessQuestion

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import TagTypeDef

WORKER = "patch-campaign worker"
PROBE = "probes/doctor.txt"
_CONTENT = b"steadfleet doctor stored this to see whether it may. It is written once.\n"
_WORDS = Words(kept="plans", one="what `steadfleet doctor` stored", afresh="delete it")


class AwsAccess(Accesses):
    """The rights of a worker that carries out campaigns, in its own account and region."""

    def __init__(self, aws: Aws, bucket: str = BUCKET) -> None:
        self._aws, self._bucket = aws, bucket

    @activity.defn
    async def inspect_access(self, question: AccessQuestion) -> Access:
        with at_the_edge("looking at what this worker may do"):
            return await unbroken(self._inspect, question)

    def _inspect(self, question: AccessQuestion) -> Access:
        problem, cloud_time = self._store_problem()
        worker_time = datetime.now(UTC)
        if not problem and question.write:
            problem = self._write_problem()
        return Access(
            region=self._aws.region,
            bucket=self._bucket,
            store_problem=problem,
            refused=tuple(refused(_calls(self._aws), self._aws.region, WORKER)),
            worker_time=worker_time,
            cloud_time=cloud_time,
        )

    def _store_problem(self) -> tuple[str, datetime | None]:
        """Look into the bucket; also return when the store says that it answered."""
        try:
            answer = self._aws.s3.list_objects_v2(Bucket=self._bucket, MaxKeys=1)
        except ClientError as error:
            return f"s3://{self._bucket} answers {code_of(error)}", _time_of(error.response)
        except BotoCoreError as error:
            return f"s3://{self._bucket} does not answer: {error}", None
        return "", _time_of(answer)

    def _write_problem(self) -> str:
        objects = Objects(self._aws.s3, self._bucket, _WORDS)
        try:
            objects.put(PROBE, _CONTENT, "text/plain")
            objects.get(PROBE, digest_of(_CONTENT))
        except ClientError as error:
            return f"{error.operation_name} of s3://{self._bucket}/{PROBE} answers {code_of(error)}"
        except RefusedError as error:
            return str(error)
        return ""


def _calls(aws: Aws) -> dict[str, Callable[[], Any]]:
    nobody = f"i-{NOWHERE}"
    run_tag: list[TagTypeDef] = [{"Key": tags.RUN, "Value": "doctor"}]
    return {
        "ec2:DescribeInstances": lambda: aws.ec2.describe_instances(DryRun=True),
        "ec2:DescribeImages": lambda: aws.ec2.describe_images(ImageIds=[f"ami-{NOWHERE}"], DryRun=True),
        "ec2:RunInstances": lambda: aws.launcher.run_instances(
            ImageId=f"ami-{NOWHERE}", MinCount=1, MaxCount=1, DryRun=True
        ),
        "ec2:TerminateInstances": lambda: aws.ec2.terminate_instances(InstanceIds=[nobody], DryRun=True),
        "ec2:CreateTags": lambda: aws.ec2.create_tags(Resources=[nobody], Tags=run_tag, DryRun=True),
        "ec2:DeleteTags": lambda: aws.ec2.delete_tags(Resources=[nobody], Tags=run_tag, DryRun=True),
        "ec2:CreateLaunchTemplateVersion": lambda: aws.ec2.create_launch_template_version(
            LaunchTemplateId=f"lt-{NOWHERE}", LaunchTemplateData={}, DryRun=True
        ),
        "autoscaling:DescribeAutoScalingGroups": lambda: aws.autoscaling.describe_auto_scaling_groups(
            MaxRecords=1
        ),
    }


def _time_of(response: Mapping[str, Any]) -> datetime | None:
    said = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(said) if said else None
