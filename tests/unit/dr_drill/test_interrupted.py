"""Controls that are interrupted when the engine has begun a drill, and its answer is on the way."""

import asyncio
from typing import cast

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from steadfleet_dr_drill.rehearsal.catalogue import Healthy
from steadfleet_dr_drill.rehearsal.local_cloud import LocalCloud
from steadfleet_dr_drill.rehearsal.production import Production
from steadfleet_dr_drill.rehearsal.rehearsing import tried
from steadfleet_dr_drill.rehearsal.scene import Scene

RUN = "019f0000-0000-7000-8000-00004dcda214"


class Engine:
    """Begins a drill at once, and answers when it is let."""

    def __init__(self) -> None:
        self.begun, self.answers = asyncio.Event(), asyncio.Event()
        self.refuses = False
        self.cancelled: list[str] = []
        self.closed: list[str] = []

    async def start_workflow(self, *_: object, **options: str) -> "Handle":
        self.begun.set()
        await self.answers.wait()
        if self.refuses:
            raise RPCError("no such namespace", RPCStatusCode.NOT_FOUND, b"")
        return Handle(self, options["id"])

    def get_workflow_handle(self, workflow: str) -> "Handle":
        return Handle(self, workflow)


class Handle:
    first_execution_run_id = RUN

    def __init__(self, engine: Engine, workflow: str) -> None:
        self.id = workflow
        self._engine = engine

    async def cancel(self) -> None:
        self._engine.cancelled.append(self.id)

    async def result(self) -> None:
        """Have ended."""

    async def execute_update(self, *_: object) -> None:
        self._engine.closed.append(self.id)
        raise RPCError("the lease has ended", RPCStatusCode.NOT_FOUND, b"")


def scene(engine: Engine) -> Scene:
    cloud = LocalCloud("http://127.0.0.1:1")
    production = Production(cloud, "controls-1")
    return Scene(cast("Client", engine), cloud, production, 0, right="ami-1", fixed="ami-2", wrong="ami-3")


async def interrupted(engine: Engine) -> None:
    trying = asyncio.ensure_future(tried(Healthy, scene(engine)))
    begun = asyncio.ensure_future(engine.begun.wait())
    await asyncio.wait({trying, begun}, return_when=asyncio.FIRST_COMPLETED)
    assert begun.done(), trying
    trying.cancel()
    await asyncio.sleep(0)
    engine.answers.set()
    with pytest.raises(asyncio.CancelledError):
        await trying


async def test_a_drill_whose_start_is_on_the_way_is_ended_and_its_lease_closed() -> None:
    engine = Engine()

    await interrupted(engine)

    assert [one.rsplit("/", 1)[0] for one in engine.cancelled] == ["drill/controls-1-healthy"]
    assert engine.closed == ["lease/drill-controls-1-healthy-4dcda214"]


async def test_a_drill_whose_start_is_refused_meanwhile_hides_no_interruption() -> None:
    engine = Engine()
    engine.refuses = True

    await interrupted(engine)

    assert engine.cancelled == []
