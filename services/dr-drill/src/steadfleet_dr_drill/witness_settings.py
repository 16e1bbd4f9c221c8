"""What an operator may set for the witness: read and checked before anything is touched."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from steadfleet_activities.configuring import plans_bucket
from steadfleet_activities.drill.witness.resolving import is_address
from steadfleet_activities.drill.witness.spec import LedgerSpec, read_ledgers
from steadfleet_core.errors import SteadfleetError
from steadfleet_durable import WorkerConfigError, WorkerSettings, connection_config
from steadfleet_durable.settings import split_address

FOLDER = "STEADFLEET_WITNESS_FOLDER"
LEDGERS = "STEADFLEET_LEDGERS"
RESOLVER = "STEADFLEET_RESOLVER"


@dataclass(frozen=True)
class WitnessSettings:
    """AWS's and Temporal's own variables are read where they are used; here they are only checked."""

    worker: WorkerSettings
    folder: Path
    ledgers_file: Path | None
    ledgers: tuple[LedgerSpec, ...]
    resolver: tuple[str, int] | None
    bucket: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        given = {name: value for name, value in (os.environ if env is None else env).items() if value}
        connection_config(env=given)
        return cls(
            worker=WorkerSettings.from_env(given),
            folder=_folder(given),
            ledgers_file=Path(given[LEDGERS]) if LEDGERS in given else None,
            ledgers=_ledgers(given),
            resolver=_resolver(given),
            bucket=plans_bucket(given),
        )


def _folder(env: Mapping[str, str]) -> Path:
    if not (said := env.get(FOLDER)):
        raise WorkerConfigError(
            f"{FOLDER} is not set: expected a folder on a disk that stays, where the witness notes which "
            "writes were acknowledged"
        )
    return Path(said)


def _ledgers(env: Mapping[str, str]) -> tuple[LedgerSpec, ...]:
    if not (said := env.get(LEDGERS)):
        return ()
    try:
        return read_ledgers(Path(said))
    except SteadfleetError as error:
        raise WorkerConfigError(f"{LEDGERS}: {error}") from error


def _resolver(env: Mapping[str, str]) -> tuple[str, int] | None:
    if not (said := env.get(RESOLVER)):
        return None
    host, _, port = said.rpartition(":")
    if not (is_address(host.strip("[]")) and port.isdecimal() and 0 < int(port) < 1 << 16):
        raise WorkerConfigError(
            f"{RESOLVER}={said}: expected an IP address and a port, such as 127.0.0.1:5353"
        )
    return split_address(said)
