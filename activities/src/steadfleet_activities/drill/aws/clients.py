"""The AWS clients of one worker: the home region, where production is, and those where it is recovered."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import boto3

from steadfleet_activities.fleet.clients import (
    SLOTS,
    Aws,
    client_config,
    region_required,
    settings_from,
)

if TYPE_CHECKING:
    from mypy_boto3_autoscaling.client import AutoScalingClient
    from mypy_boto3_ec2.client import EC2Client
    from mypy_boto3_elbv2.client import ElasticLoadBalancingv2Client
    from mypy_boto3_rds.client import RDSClient
    from mypy_boto3_route53.client import Route53Client


@dataclass(frozen=True)
class Creators:
    """Clients that never retry by themselves: after a lost answer somebody has to look first."""

    ec2: "EC2Client"
    autoscaling: "AutoScalingClient"
    elbv2: "ElasticLoadBalancingv2Client"
    rds: "RDSClient"
    route53: "Route53Client"


@dataclass(frozen=True)
class DrillAws(Aws):
    """Clients of one region; `route53` is the same whatever the region, for Route 53 is global."""

    rds: "RDSClient"
    route53: "Route53Client"
    once: Creators

    @classmethod
    def connect(cls, *, slots: int = SLOTS, **settings: Any) -> Self:
        at_endpoint = "endpoint_url" in settings
        config = client_config(slots, at_endpoint=at_endpoint)
        once = client_config(slots, attempts=1, at_endpoint=at_endpoint)
        base = Aws.connect(slots=slots, **settings)
        return cls(
            **vars(base),
            rds=boto3.client("rds", config=config, **settings),
            route53=boto3.client("route53", config=config, **settings),
            once=Creators(
                ec2=base.launcher,
                autoscaling=boto3.client("autoscaling", config=once, **settings),
                elbv2=boto3.client("elbv2", config=once, **settings),
                rds=boto3.client("rds", config=once, **settings),
                route53=boto3.client("route53", config=once, **settings),
            ),
        )


class Regions:
    """The home region, and any other when it is first asked for."""

    def __init__(self, *, slots: int = SLOTS, **settings: Any) -> None:
        self._settings = settings
        self._slots = slots
        self._lock = threading.Lock()
        self._regional: dict[str, DrillAws] = {}
        with region_required():
            self.at_home = DrillAws.connect(slots=slots, **settings)
        self.home = self.at_home.region
        self._regional[self.home] = self.at_home

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None, *, slots: int = SLOTS) -> Self:
        """Build them as the AWS command line would: AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL."""
        return cls(slots=slots, **settings_from(env))

    def at(self, region: str) -> DrillAws:
        with self._lock:  # boto3 makes one client at a time
            if region not in self._regional:
                settings = self._settings | {"region_name": region}
                self._regional[region] = DrillAws.connect(slots=self._slots, **settings)
            return self._regional[region]
