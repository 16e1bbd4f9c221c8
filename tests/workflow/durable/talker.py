"""A workflow and an activity that log, in every way that code may log."""

import logging
from datetime import timedelta

import structlog
from temporalio import activity, workflow

from steadfleet_durable import QUICK, get_logger

ours = get_logger("talker")
bare = structlog.get_logger("bare")  # through the process's configuration
stdlib = logging.getLogger("stdlib")  # knows nothing of replays


@activity.defn
async def patch(host: str) -> None:
    ours.bind(host=host).info("patching")
    stdlib.info("patching %s", host)


@workflow.defn
class Talker:
    @workflow.run
    async def run(self) -> None:
        log = ours.bind(wave="canary")
        for step in range(3):
            log.info("ours", step=step)
            bare.info("bare", step=step)
            stdlib.info("stdlib %s", step)
            workflow.logger.info("sdk %s", step)
            await workflow.execute_activity(patch, f"web-{step}", **QUICK)
            await workflow.sleep(timedelta(hours=1))
