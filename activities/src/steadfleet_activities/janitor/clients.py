"""The AWS clients of the janitor: more services than other workers need, to take away what they made."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import boto3

from steadfleet_activities.fleet.clients import SLOTS, Aws, client_config

if TYPE_CHECKING:
    from mypy_boto3_rds.client import RDSClient
    from mypy_boto3_route53.client import Route53Client


@dataclass(frozen=True)
class JanitorAws(Aws):
    """`route53` is the same whatever the region: Route 53 is global."""

    rds: "RDSClient"
    route53: "Route53Client"

    @classmethod
    def connect(cls, *, slots: int = SLOTS, **settings: Any) -> Self:
        config = client_config(slots, at_endpoint="endpoint_url" in settings)
        return cls(
            **vars(Aws.connect(slots=slots, **settings)),
            rds=boto3.client("rds", config=config, **settings),
            route53=boto3.client("route53", config=config, **settings),
        )
