"""The worker that builds golden images: here, and only here, workflows meet adapters. It has no key."""

import os
from collections.abc import Mapping
from typing import Any, NoReturn

from steadfleet_activities.configuring import aws_configured
from steadfleet_activities.image.attesting.verifier import ImageVerifier
from steadfleet_activities.image.channels import TemporalChannels
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_activities.image.examining.examiner import MachineExaminer
from steadfleet_activities.image.images import PlatformImages
from steadfleet_activities.image.rights import build_access
from steadfleet_activities.image.scratch import remove_abandoned
from steadfleet_activities.janitor.leases import TemporalLeases
from steadfleet_activities.tracing import trace_aws_calls
from steadfleet_durable import register, run_service, serve
from steadfleet_image_build.settings import Settings
from steadfleet_workflows.channel import ImageChannel
from steadfleet_workflows.image import GoldenImage
from steadfleet_workflows.image_inspection import ImageCheck, ImageDocument, ImageInspection
from steadfleet_workflows.image_trial import ImageSigning, ImageTrial

NAME = "image-build"
WORKFLOWS = (GoldenImage, ImageChannel, ImageTrial, ImageSigning, ImageInspection, ImageCheck, ImageDocument)


def main() -> NoReturn:
    """Work until SIGTERM; every setting comes from the environment."""
    run_service(work())


async def work() -> None:
    settings = Settings.from_env()
    trace_aws_calls()
    remove_abandoned()
    await serve(
        NAME,
        task_queue=NAME,
        workflows=WORKFLOWS,
        activities=[method for adapter in adapters(settings) for method in register(adapter)],
        settings=settings.worker,
    )


def adapters(settings: Settings, env: Mapping[str, str] | None = None) -> tuple[Any, ...]:
    """Build what stands behind the ports; raises `WorkerConfigError` where a setting cannot be right."""
    given = os.environ if env is None else env
    slots = settings.worker.max_concurrent_activities
    with aws_configured():
        regions = AwsRegions.from_environment(given, slots=slots)
        images = PlatformImages.from_environment(
            given,
            slots=slots,
            examiner=MachineExaminer.from_environment(given, slots=slots),
            verifier=ImageVerifier.from_environment(regions, given),
        )
    leases = TemporalLeases(region=regions.home, term=settings.lease_term)
    return images, TemporalChannels(NAME), leases, build_access(regions, settings.bucket)
