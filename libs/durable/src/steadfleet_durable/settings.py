"""What an operator may set for a worker, read from the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

from steadfleet_durable.connection_config import EngineError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}


class WorkerConfigError(EngineError):
    """A setting of the worker that cannot be right."""


@dataclass(frozen=True)
class WorkerSettings:
    """
    A worker's settings; `from_env` names their variables.

    The heartbeat throttle is the longest time that an abort takes to reach an activity which beats.
    `health_address` serves /healthz and /readyz, `metrics_address` /metrics; without, neither is served.
    """

    deployment_name: str | None = None
    build_id: str | None = None
    max_concurrent_activities: int = 100
    max_cached_workflows: int = 1000
    graceful_shutdown_time: timedelta = timedelta(seconds=30)
    max_heartbeat_throttle_interval: timedelta = timedelta(seconds=5)
    connect_patience: timedelta = timedelta(minutes=2)
    watch_interval: timedelta = timedelta(minutes=2)
    credentials_interval: timedelta = timedelta(seconds=10)
    health_address: str | None = None
    metrics_address: str | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        given = {key: value for key, value in (os.environ if env is None else env).items() if value}
        return cls(
            deployment_name=given.get("TEMPORAL_DEPLOYMENT_NAME"),
            build_id=given.get("TEMPORAL_WORKER_BUILD_ID"),
            max_concurrent_activities=_count(given, "STEADFLEET_MAX_CONCURRENT_ACTIVITIES", "100"),
            max_cached_workflows=_count(given, "STEADFLEET_MAX_CACHED_WORKFLOWS", "1000", least=0),
            graceful_shutdown_time=read_time(given, "STEADFLEET_GRACEFUL_SHUTDOWN_TIME", "30s"),
            max_heartbeat_throttle_interval=read_time(given, "STEADFLEET_MAX_HEARTBEAT_THROTTLE", "5s"),
            connect_patience=read_time(given, "STEADFLEET_CONNECT_PATIENCE", "2m"),
            credentials_interval=read_time(given, "STEADFLEET_CREDENTIALS_INTERVAL", "10s"),
            watch_interval=read_time(given, "STEADFLEET_WATCH_INTERVAL", "2m"),
            health_address=_address(given, "STEADFLEET_HEALTH_ADDRESS"),
            metrics_address=_address(given, "STEADFLEET_METRICS_ADDRESS"),
        )

    def __post_init__(self) -> None:
        if (self.deployment_name is None) != (self.build_id is None):
            missing = "TEMPORAL_WORKER_BUILD_ID" if self.deployment_name else "TEMPORAL_DEPLOYMENT_NAME"
            raise WorkerConfigError(
                f"a versioned worker needs its deployment's name and its build id: {missing} is missing"
            )

    def deployment(self) -> WorkerDeploymentConfig | None:
        """Return the versioning of this worker: pinned unless a workflow says otherwise; None for none."""
        if self.deployment_name is None or self.build_id is None:
            return None
        return WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(self.deployment_name, self.build_id),
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.PINNED,
        )


def split_address(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _address(env: Mapping[str, str], name: str) -> str | None:
    said = env.get(name)
    if said is not None and not re.fullmatch(r".+:\d+", said):
        raise WorkerConfigError(f"{name}={said}: expected `host:port`, such as 127.0.0.1:8080")
    return said


def _count(env: Mapping[str, str], name: str, default: str, *, least: int = 1) -> int:
    said = env.get(name, default)
    if not said.isdecimal() or int(said) < least:
        raise WorkerConfigError(f"{name}={said}: expected a whole number of at least {least}")
    return int(said)


def read_time(env: Mapping[str, str], name: str, default: str) -> timedelta:
    said = env.get(name, default)
    match = re.fullmatch(r"(\d+)([smh])", said)
    if match is None:
        raise WorkerConfigError(f"{name}={said}: expected a time such as 30s, 5m or 1h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
