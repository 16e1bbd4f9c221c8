"""A worker that restores, says what it does, and waits to be killed."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from steadfleet_activities.drill.postgres.programs import Programs
from steadfleet_activities.drill.postgres.stores import PostgresStores
from steadfleet_activities.drill.secrets import Secrets
from steadfleet_ports.drill import StepRequest


def say(step: str) -> None:
    print(step, flush=True)  # noqa: T201 - that is what the test reads
    if step == "reading all tables":
        signal.pause()


async def main() -> None:
    request = StepRequest.model_validate_json(sys.argv[2])
    secrets = Secrets(os.environ, lambda _region, name: name)
    stores = PostgresStores(secrets, Programs.from_environment(os.environ), Path(sys.argv[1]))
    (store,) = request.drill.plan.spec.stores
    await stores.restore(store, request, say)


asyncio.run(main())
