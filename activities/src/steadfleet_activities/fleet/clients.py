"""The AWS clients of one worker, in one region."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import NoRegionError

from steadfleet_core.errors import RefusedError

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.client import AutoScalingClient
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_elbv2.client import ElasticLoadBalancingv2Client
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_ssm.client import SSMClient

SLOTS = 100
ATTEMPTS = 5


@dataclass(frozen=True)
class Aws:
    """
    Clients that several threads share.

    `launcher` is a second EC2 client that never retries by itself: RunInstances has an effect that
    a second one doubles, so after a lost answer somebody has to look first.
    """

    ec2: "EC2Client"
    launcher: "EC2Client"
    autoscaling: "AutoScalingClient"
    elbv2: "ElasticLoadBalancingv2Client"
    ssm: "SSMClient"
    s3: "S3Client"

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None, *, slots: int = SLOTS) -> Self:
        """Build them as the AWS command line would: AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL."""
        with region_required():
            return cls.connect(slots=slots, **settings_from(env))

    @classmethod
    def connect(cls, *, slots: int = SLOTS, **settings: Any) -> Self:
        """Build them from what `boto3.client` takes; `slots` is how many calls may run at once."""
        config = client_config(slots, at_endpoint="endpoint_url" in settings)
        once = client_config(slots, attempts=1, at_endpoint="endpoint_url" in settings)
        return cls(
            ec2=boto3.client("ec2", config=config, **settings),
            launcher=boto3.client("ec2", config=once, **settings),
            autoscaling=boto3.client("autoscaling", config=config, **settings),
            elbv2=boto3.client("elbv2", config=config, **settings),
            ssm=boto3.client("ssm", config=config, **settings),
            s3=boto3.client("s3", config=config, **settings),
        )

    @property
    def region(self) -> str:
        return self.ec2.meta.region_name


def settings_from(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Read what `boto3.client` takes from AWS's own variables; what is not there, boto3 looks for."""
    given = os.environ if env is None else env
    settings = {
        "region_name": given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION"),
        "endpoint_url": given.get("AWS_ENDPOINT_URL"),
        "aws_access_key_id": given.get("AWS_ACCESS_KEY_ID"),
        "aws_secret_access_key": given.get("AWS_SECRET_ACCESS_KEY"),
        "aws_session_token": given.get("AWS_SESSION_TOKEN"),
    }
    return {name: value for name, value in settings.items() if value}


@contextmanager
def region_required() -> Iterator[None]:
    try:
        yield
    except NoRegionError as error:
        raise RefusedError(
            "no AWS region is set: a worker serves one region; set AWS_REGION, or a region in the profile"
        ) from error


def client_config(slots: int, *, attempts: int = ATTEMPTS, at_endpoint: bool) -> Config:
    return Config(
        # A call runs in a thread that a cancellation waits for: so every one has its own end.
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=slots,
        user_agent_extra="steadfleet",
        # A bucket's own host name exists at AWS only.
        s3={"addressing_style": "path"} if at_endpoint else {},
    )
