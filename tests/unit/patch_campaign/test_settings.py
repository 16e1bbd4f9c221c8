"""A setting that cannot be right is refused in words, before anything is touched."""

from datetime import timedelta

import pytest

from steadfleet_durable import ConnectionConfigError, WorkerConfigError
from steadfleet_patch_campaign.settings import Settings


def test_without_settings_the_defaults_hold() -> None:
    settings = Settings.from_env({})

    assert settings.bucket == "steadfleet-plans"
    assert settings.lease_term == timedelta(minutes=15)
    assert settings.worker.health_address is None


def test_what_is_set_is_taken_and_empty_is_not_set() -> None:
    settings = Settings.from_env(
        {
            "STEADFLEET_BUCKET": "plans-of-prod",
            "STEADFLEET_HEALTH_ADDRESS": "127.0.0.1:8081",
            "STEADFLEET_GRACEFUL_SHUTDOWN_TIME": "5s",
            "STEADFLEET_METRICS_ADDRESS": "",
        }
    )

    assert settings.bucket == "plans-of-prod"
    assert settings.worker.health_address == "127.0.0.1:8081"
    assert settings.worker.graceful_shutdown_time == timedelta(seconds=5)
    assert settings.worker.metrics_address is None


@pytest.mark.parametrize("bucket", ["ab", "Plans", "s3://plans", "plans/prod", "-plans", "p" * 64])
def test_a_bucket_that_is_no_bucket_is_refused(bucket: str) -> None:
    with pytest.raises(
        WorkerConfigError, match=f"STEADFLEET_BUCKET={bucket}: expected the name of an S3 bucket"
    ):
        Settings.from_env({"STEADFLEET_BUCKET": bucket})


@pytest.mark.parametrize("term", ["0s", "soon", "15"])
def test_a_lease_that_holds_for_no_time_is_refused(term: str) -> None:
    with pytest.raises(WorkerConfigError, match=r"STEADFLEET_LEASE_TERM=.*expected"):
        Settings.from_env({"STEADFLEET_LEASE_TERM": term})


def test_a_connection_that_cannot_be_right_is_refused() -> None:
    with pytest.raises(ConnectionConfigError, match="TEMPORAL_TLS=perhaps"):
        Settings.from_env({"TEMPORAL_TLS": "perhaps"})
