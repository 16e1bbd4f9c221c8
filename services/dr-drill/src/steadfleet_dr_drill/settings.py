"""What an operator may set for this worker: read and checked before anything is touched."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from steadfleet_activities.configuring import lease_term, plans_bucket
from steadfleet_durable import WorkerSettings, connection_config


@dataclass(frozen=True)
class Settings:
    """Temporal's, AWS's and PostgreSQL's own variables are read where they are used."""

    worker: WorkerSettings
    bucket: str
    lease_term: timedelta

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        given = {name: value for name, value in (os.environ if env is None else env).items() if value}
        connection_config(env=given)
        return cls(
            worker=WorkerSettings.from_env(given),
            bucket=plans_bucket(given),
            lease_term=lease_term(given),
        )
