"""A long activity that beats, and one that does not."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

from steadfleet_durable import Heartbeat


class Progress(BaseModel, frozen=True, extra="forbid"):
    done: int
    took: timedelta


@dataclass
class Hosts:
    seen: list[Progress | None] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    @activity.defn
    async def beats_for_long(self) -> str:
        async with Heartbeat():
            await asyncio.sleep(2)
        return "changed"

    @activity.defn
    async def is_silent_for_long(self) -> str:
        await asyncio.sleep(2)
        return "changed"

    @activity.defn
    async def drains(self) -> None:
        async with Heartbeat() as beat:
            beat.step("drain", Progress(done=3, took=timedelta(seconds=90)))
            beat.step("snapshot")
            self.reached.set()
            await asyncio.Event().wait()

    @activity.defn
    async def resumes(self) -> None:
        async with Heartbeat() as beat:
            self.seen.append(beat.resume(Progress))
            if activity.info().attempt == 1:
                beat.step("drain", Progress(done=3, took=timedelta(seconds=90)))
            if activity.info().attempt < 3:  # the second says nothing, and must not wipe it
                await asyncio.sleep(0)  # one beat of the background
                raise RuntimeError("lost")


@workflow.defn
class OneHost:
    @workflow.run
    async def run(self, name: str) -> Any:
        return await workflow.execute_activity(
            name,
            start_to_close_timeout=timedelta(minutes=1),
            heartbeat_timeout=timedelta(seconds=1),
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            retry_policy=RetryPolicy(
                initial_interval=timedelta(milliseconds=10), maximum_attempts=3 if name == "resumes" else 1
            ),
        )
