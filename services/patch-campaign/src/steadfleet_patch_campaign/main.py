"""The worker that runs patch campaigns: here, and only here, workflows meet adapters."""

import os
from collections.abc import Mapping
from typing import NoReturn

from steadfleet_activities.configuring import aws_configured
from steadfleet_activities.fleet.access import campaign_access
from steadfleet_activities.fleet.aws import AwsFleet
from steadfleet_activities.fleet.clients import Aws
from steadfleet_activities.fleet.reservation import TemporalReservations
from steadfleet_activities.image.attesting.verifier import ImageVerifier
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_activities.janitor.leases import TemporalLeases
from steadfleet_activities.tracing import trace_aws_calls
from steadfleet_durable import register, run_service, serve
from steadfleet_patch_campaign.settings import Settings
from steadfleet_ports.access import Accesses
from steadfleet_ports.fleet import Fleet
from steadfleet_ports.lease import Leases
from steadfleet_ports.reservation import Reservations
from steadfleet_workflows.access import AccessInspection
from steadfleet_workflows.campaign import PatchCampaign
from steadfleet_workflows.fleet import FleetReservation
from steadfleet_workflows.inspection import FleetInspection
from steadfleet_workflows.preview import CampaignPreview
from steadfleet_workflows.shard import PatchShard
from steadfleet_workflows.wave import PatchWave

NAME = "patch-campaign"
WORKFLOWS = (
    PatchCampaign,
    PatchWave,
    PatchShard,
    FleetReservation,
    CampaignPreview,
    FleetInspection,
    AccessInspection,
)


def main() -> NoReturn:
    """Work until SIGTERM; every setting comes from the environment."""
    run_service(work())


async def work() -> None:
    settings = Settings.from_env()
    trace_aws_calls()
    await serve(
        NAME,
        task_queue=NAME,
        workflows=WORKFLOWS,
        activities=[method for adapter in adapters(settings) for method in register(adapter)],
        settings=settings.worker,
    )


def adapters(
    settings: Settings, env: Mapping[str, str] | None = None
) -> tuple[Fleet, Reservations, Leases, Accesses]:
    """Build what stands behind the ports; AWS's own variables say which account and region.

    Raises `WorkerConfigError`, also where no trust policy says which images may be used.
    """
    given = os.environ if env is None else env
    slots = settings.worker.max_concurrent_activities
    with aws_configured():
        aws = Aws.from_environment(given, slots=slots)
        verifier = ImageVerifier.from_environment(AwsRegions.from_environment(given, slots=slots), given)
    fleet = AwsFleet(aws, settings.bucket, verifier=verifier)
    leases = TemporalLeases(region=aws.region, term=settings.lease_term)
    return fleet, TemporalReservations(), leases, campaign_access(aws, settings.bucket)
