"""What an operator may set for a worker."""

from datetime import timedelta

import pytest
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion

from steadfleet_durable import WorkerConfigError, WorkerSettings

VERSIONED = {"TEMPORAL_DEPLOYMENT_NAME": "patch-campaign", "TEMPORAL_WORKER_BUILD_ID": "v7"}


def test_nothing_said_is_the_defaults() -> None:
    assert WorkerSettings.from_env({"STEADFLEET_GRACEFUL_SHUTDOWN_TIME": ""}) == WorkerSettings()


def test_each_setting_is_read() -> None:
    settings = WorkerSettings.from_env(
        {
            **VERSIONED,
            "STEADFLEET_MAX_CONCURRENT_ACTIVITIES": "7",
            "STEADFLEET_MAX_CACHED_WORKFLOWS": "8",
            "STEADFLEET_GRACEFUL_SHUTDOWN_TIME": "1h",
            "STEADFLEET_MAX_HEARTBEAT_THROTTLE": "2s",
            "STEADFLEET_CONNECT_PATIENCE": "3m",
            "STEADFLEET_HEALTH_ADDRESS": "127.0.0.1:8080",
            "STEADFLEET_METRICS_ADDRESS": "[::1]:9464",
        }
    )
    assert settings == WorkerSettings(
        deployment_name="patch-campaign",
        build_id="v7",
        max_concurrent_activities=7,
        max_cached_workflows=8,
        graceful_shutdown_time=timedelta(hours=1),
        max_heartbeat_throttle_interval=timedelta(seconds=2),
        connect_patience=timedelta(minutes=3),
        health_address="127.0.0.1:8080",
        metrics_address="[::1]:9464",
    )


def test_a_worker_may_keep_no_workflows() -> None:
    assert WorkerSettings.from_env({"STEADFLEET_MAX_CACHED_WORKFLOWS": "0"}).max_cached_workflows == 0


def test_a_versioned_worker_is_pinned_and_another_is_not_versioned() -> None:
    versioned = WorkerSettings.from_env(VERSIONED).deployment()
    assert versioned is not None
    assert versioned.use_worker_versioning
    assert versioned.version == WorkerDeploymentVersion("patch-campaign", "v7")
    assert versioned.default_versioning_behavior == VersioningBehavior.PINNED
    assert WorkerSettings.from_env({}).deployment() is None


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"TEMPORAL_DEPLOYMENT_NAME": "d"}, "TEMPORAL_WORKER_BUILD_ID is missing"),
        ({"TEMPORAL_WORKER_BUILD_ID": "v1"}, "TEMPORAL_DEPLOYMENT_NAME is missing"),
        ({"STEADFLEET_MAX_CONCURRENT_ACTIVITIES": "0"}, "expected a whole number"),
        ({"STEADFLEET_MAX_CACHED_WORKFLOWS": "-1"}, "expected a whole number of at least 0"),
        ({"STEADFLEET_MAX_CONCURRENT_ACTIVITIES": "many"}, "expected a whole number"),
        ({"STEADFLEET_GRACEFUL_SHUTDOWN_TIME": "30"}, "expected a time such as 30s"),
        ({"STEADFLEET_HEALTH_ADDRESS": "8080"}, "expected `host:port`"),
    ],
)
def test_a_setting_that_cannot_be_right_is_refused(env: dict[str, str], said: str) -> None:
    with pytest.raises(WorkerConfigError, match=said):
        WorkerSettings.from_env(env)
