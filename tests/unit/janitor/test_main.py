"""The janitor's worker says in words why it cannot work."""

import subprocess
import sys
from pathlib import Path

import pytest

from steadfleet_durable import ConnectionConfigError, WorkerConfigError, WorkerSettings
from steadfleet_janitor.main import adapter
from steadfleet_janitor.settings import Settings

COMMAND = Path(sys.executable).with_name("steadfleet-janitor")
LOCAL = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"AWS_REGION": ""}, "AWS: no AWS region is set"),
        ({"AWS_ENDPOINT_URL": "nowhere"}, "Invalid endpoint: nowhere"),
    ],
)
def test_what_aws_lacks_is_said_before_it_works(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(WorkerConfigError, match=said):
        adapter(Settings(worker=WorkerSettings()), {**LOCAL, **wrong})


def test_a_connection_that_cannot_be_right_is_refused() -> None:
    with pytest.raises(ConnectionConfigError, match="TEMPORAL_TLS=perhaps"):
        Settings.from_env({"TEMPORAL_TLS": "perhaps"})


@pytest.mark.parametrize("args", [(), ("sweep", "--dry-run")])
@pytest.mark.parametrize("variable", ["STEADFLEET_ATTESTATIONS_BUCKET", "STEADFLEET_BUCKET"])
def test_a_bucket_of_no_valid_name_is_one_clear_error(variable: str, args: tuple[str, ...]) -> None:
    ran = subprocess.run(
        [COMMAND, *args],
        env={**LOCAL, variable: "Our_Bucket"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ran.returncode == (3 if args else 1)
    assert f"{variable}=Our_Bucket: expected the name of an S3 bucket" in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr


def test_an_engine_that_cannot_be_spoken_to_is_one_clear_error() -> None:
    settings = {**LOCAL, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "DOCKER_HOST": "ssh://host"}
    ran = subprocess.run(
        [COMMAND, "sweep", "--docker", "--dry-run"],
        env=settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ran.returncode == 3
    assert ran.stderr.startswith("error: DOCKER_HOST=ssh://host: expected unix:///path")


def test_the_process_ends_with_one_line_and_not_a_traceback() -> None:
    ran = subprocess.run(
        [COMMAND], env={**LOCAL, "AWS_REGION": ""}, capture_output=True, text=True, check=False, timeout=60
    )

    assert ran.returncode == 1
    assert "no AWS region is set" in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
