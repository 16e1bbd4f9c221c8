"""A workflow that tells which copy of our packages it sees."""

import structlog
from temporalio import workflow

import steadfleet_core
import steadfleet_durable
import steadfleet_ports

HERE: list[int] = []


@workflow.defn
class Identity:
    @workflow.run
    async def run(self) -> list[int]:
        modules = (steadfleet_core, steadfleet_ports, steadfleet_durable, structlog)
        return [id(module) for module in modules] + [id(HERE)]
