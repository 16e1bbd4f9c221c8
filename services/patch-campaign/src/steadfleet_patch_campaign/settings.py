"""What an operator may set for this worker: read and checked before anything is touched."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from steadfleet_durable import WorkerConfigError, WorkerSettings, connection_config

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_DEFAULT_BUCKET = "steadfleet-plans"


@dataclass(frozen=True)
class Settings:
    """Temporal's and AWS's own variables are read where they are used; here they are only checked."""

    worker: WorkerSettings
    bucket: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        given = {name: value for name, value in (os.environ if env is None else env).items() if value}
        connection_config(env=given)
        return cls(worker=WorkerSettings.from_env(given), bucket=_bucket(given))


def _bucket(env: Mapping[str, str]) -> str:
    said = env.get("STEADFLEET_BUCKET", _DEFAULT_BUCKET)
    if not _BUCKET.fullmatch(said):
        raise WorkerConfigError(
            f"STEADFLEET_BUCKET={said}: expected the name of an S3 bucket, where plans are stored: 3 to 63"
            " lower-case letters, digits, dots and dashes"
        )
    return said
