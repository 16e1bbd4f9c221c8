"""The AWS clients of one worker: built in its home region, and published to others."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import boto3

from steadfleet_activities.fleet.clients import ATTEMPTS, SLOTS, client_config, region_required, settings_from

if TYPE_CHECKING:
    from mypy_boto3_ebs.client import EBSClient
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_s3.client import S3Client


@dataclass(frozen=True)
class RegionalAws:
    """
    Clients of one region, which several threads share.

    `creator` is a second EC2 client that never retries by itself: it asks for what a second answer
    would double, so after a lost one somebody has to look first.
    """

    region: str
    ec2: "EC2Client"
    creator: "EC2Client"


class AwsRegions:
    """The home region, and any other when it is first asked for."""

    def __init__(self, *, slots: int = SLOTS, **settings: Any) -> None:
        self.settings = settings
        self._slots = slots
        self._lock = threading.Lock()
        self._regional: dict[str, RegionalAws] = {}
        self._ebs: dict[str, EBSClient] = {}
        with region_required():
            self.home: str = self._client("ec2").meta.region_name
        self.s3: S3Client = self._client("s3", region_name=self.home)

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None, *, slots: int = SLOTS) -> Self:
        """Build them as the AWS command line would: AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL."""
        return cls(slots=slots, **settings_from(env))

    def at(self, region: str) -> RegionalAws:
        # boto3 makes one client at a time.
        with self._lock:
            if region not in self._regional:
                self._regional[region] = RegionalAws(
                    region=region,
                    ec2=self._client("ec2", region_name=region),
                    creator=self._client("ec2", attempts=1, region_name=region),
                )
            return self._regional[region]

    @property
    def at_home(self) -> RegionalAws:
        return self.at(self.home)

    def ebs_at(self, region: str) -> "EBSClient":
        """Give the client that reads snapshots block by block: only who measures images asks for it."""
        with self._lock:
            if region not in self._ebs:
                self._ebs[region] = self._client("ebs", region_name=region)
            return self._ebs[region]

    def _client(self, service: Any, attempts: int = ATTEMPTS, **settings: str) -> Any:
        config = client_config(self._slots, attempts=attempts, at_endpoint="endpoint_url" in self.settings)
        return boto3.client(service, config=config, **{**self.settings, **settings})
