"""The worker that runs patch campaigns: here, and only here, workflows meet adapters."""

import os
from collections.abc import Mapping
from typing import NoReturn

from botocore.exceptions import BotoCoreError
from temporalio import activity

from steadfleet_activities.fleet.aws import AwsFleet
from steadfleet_activities.fleet.clients import Aws
from steadfleet_activities.fleet.reservation import TemporalReservations
from steadfleet_activities.image.attesting.verifier import ImageVerifier
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_core.errors import SteadfleetError
from steadfleet_durable import WorkerConfigError, register, run_service, serve
from steadfleet_patch_campaign.settings import Settings
from steadfleet_ports.fleet import Fleet
from steadfleet_ports.reservation import Claim, Grant, Reservations
from steadfleet_workflows.campaign import PatchCampaign
from steadfleet_workflows.fleet import FleetReservation
from steadfleet_workflows.inspection import FleetInspection
from steadfleet_workflows.preview import CampaignPreview
from steadfleet_workflows.shard import PatchShard
from steadfleet_workflows.wave import PatchWave

NAME = "patch-campaign"
WORKFLOWS = (PatchCampaign, PatchWave, PatchShard, FleetReservation, CampaignPreview, FleetInspection)


def main() -> NoReturn:
    """Work until SIGTERM; every setting comes from the environment."""
    run_service(work())


async def work() -> None:
    settings = Settings.from_env()
    await serve(
        NAME,
        task_queue=NAME,
        workflows=WORKFLOWS,
        activities=[method for adapter in adapters(settings) for method in register(adapter)],
        settings=settings.worker,
    )


def adapters(settings: Settings, env: Mapping[str, str] | None = None) -> tuple[Fleet, Reservations]:
    """Build what stands behind the ports; AWS's own variables say which account and region.

    Raises `WorkerConfigError`, also where no trust policy says which images may be used.
    """
    try:
        aws = Aws.from_environment(env, slots=settings.worker.max_concurrent_activities)
        regions = AwsRegions.from_environment(env, slots=settings.worker.max_concurrent_activities)
    except SteadfleetError as error:
        raise WorkerConfigError(f"AWS: {error}") from error
    except (BotoCoreError, ValueError) as error:  # an endpoint that is no URL is a ValueError
        raise WorkerConfigError(
            f"AWS: {error}; expected AWS's own variables: a profile that exists, and AWS_ENDPOINT_URL only"
            " for a local cloud"
        ) from error
    verifier = ImageVerifier.from_environment(regions, os.environ if env is None else env)
    return AwsFleet(aws, settings.bucket, verifier=verifier), WorkerReservations()


class WorkerReservations(Reservations):
    """Ask through the worker's own connection, which is there only once an activity runs."""

    @activity.defn
    async def reserve_fleet(self, claim: Claim) -> Grant:
        return await TemporalReservations(activity.client()).reserve_fleet(claim)

    @activity.defn
    async def release_fleet(self, claim: Claim) -> None:
        await TemporalReservations(activity.client()).release_fleet(claim)
