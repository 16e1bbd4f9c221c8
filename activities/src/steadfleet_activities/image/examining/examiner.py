"""Join the parts that try images, for the adapter's `examiner`."""

import os
import shutil
from collections.abc import Mapping
from typing import Self

from python_on_whales import DockerClient

from steadfleet_activities.fleet.clients import SLOTS
from steadfleet_activities.image.clients import AwsRegions
from steadfleet_activities.image.examining.containers import Containers
from steadfleet_activities.image.examining.examination import Examining
from steadfleet_activities.image.examining.instances import Instances
from steadfleet_activities.image.examining.machine import FreshMachines
from steadfleet_activities.image.store import BUCKET, ImageStore
from steadfleet_core.image.order import Platform
from steadfleet_core.image.report import Examination, GateReport
from steadfleet_durable import Heartbeat
from steadfleet_ports.image import ImageExamination, ImageJudgement


class MachineExaminer:
    """
    Does it within an activity: a person sees the step, and an abort reaches it.

    >>> PlatformImages.from_environment(examiner=MachineExaminer.from_environment())
    """

    def __init__(self, examining: Examining) -> None:
        self._examining = examining

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None, *, slots: int = SLOTS) -> Self:
        """Build it from AWS's own variables, DOCKER_HOST, STEADFLEET_BUCKET and STEADFLEET_BUILD_CALLERS."""
        given = os.environ if env is None else env
        regions = AwsRegions.from_environment(given, slots=slots)
        callers = [one.strip() for one in given.get("STEADFLEET_BUILD_CALLERS", "").split(",")]
        machines: dict[Platform, FreshMachines] = {
            Platform.AWS: Instances(regions, [one for one in callers if one])
        }
        if shutil.which("docker", path=given.get("PATH")):
            machines[Platform.DOCKER] = Containers(DockerClient(host=given.get("DOCKER_HOST")))
        store = ImageStore(regions.s3, given.get("STEADFLEET_BUCKET") or BUCKET)
        return cls(Examining(store, machines))

    async def examine_image(self, examination: ImageExamination) -> Examination:
        async with Heartbeat() as beat:
            return await self._examining.examine(examination, beat.step)

    async def discard_machine(self, examination: ImageExamination) -> None:
        async with Heartbeat() as beat:
            await self._examining.discard(examination, beat.step)

    async def judge_image(self, judgement: ImageJudgement) -> GateReport:
        async with Heartbeat():
            return await self._examining.judge(judgement)
