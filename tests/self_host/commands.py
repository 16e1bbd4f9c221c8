"""The real commands over the self-hosted engine, with workers and local cloud as processes."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from chaos.stage import Killable
from self_host.holders import Engine

from steadfleet_cli.parts import Addresses, make_ledgers_file, stack
from steadfleet_cli.trust import make_trust

_READY_WITHIN = 180.0


@contextmanager
def commands(
    engine: Engine, folder: Path, *names: str, machines: str = "process"
) -> Iterator[dict[str, str]]:
    """Start the cloud and the named workers; give what commands of an operator are told."""
    addresses = replace(Addresses.free(), machines=machines)
    make_trust(folder)
    make_ledgers_file(folder)
    own = {"STEADFLEET_HEARTBEAT_TIMEOUT": "15s", **engine.variables("worker")}
    parts = [
        Killable(part, folder / f"{part.name}.log", {} if part.name == "cloud" else own)
        for part in stack(addresses, folder)
        if part.name in {"cloud", *names}
    ]
    try:
        for part in parts:
            part.start()
            _await_ready(part)
        yield {**os.environ, **addresses.environment, **engine.variables("operator")}
    finally:
        for part in reversed(parts):
            part.stop()


def _await_ready(part: Killable) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while problem := part.part.problem():
        assert part.process is not None
        assert part.process.poll() is None, f"{part.part.name} ended: {part.log.read_text()[-2000:]}"
        assert time.monotonic() < deadline, f"{part.part.name}: {problem}"
        time.sleep(0.1)
