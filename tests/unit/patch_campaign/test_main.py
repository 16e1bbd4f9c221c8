"""The worker offers everything that the workflows ask for, and says in words why it cannot work."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from steadfleet_patch_campaign.main import NAME

LOCAL = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "STEADFLEET_ENVIRONMENT": "dev",
}


def test_the_task_queue_is_the_one_that_the_command_line_uses() -> None:
    from steadfleet_cli.engine import TASK_QUEUE  # noqa: PLC0415

    assert NAME == TASK_QUEUE


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"AWS_REGION": ""}, "AWS: no AWS region is set"),
        ({"AWS_PROFILE": "gone"}, "AWS: The config profile (gone) could not be found"),
        ({"AWS_ENDPOINT_URL": "nowhere"}, "Invalid endpoint: nowhere"),
        ({"STEADFLEET_BUCKET": "No Bucket"}, "STEADFLEET_BUCKET=No Bucket: expected"),
        ({"STEADFLEET_HEALTH_ADDRESS": "8081"}, "STEADFLEET_HEALTH_ADDRESS=8081: expected `host:port`"),
        (
            {"STEADFLEET_ENVIRONMENT": ""},
            "STEADFLEET_TRUST_POLICY is not set, and in prod no image may be used",
        ),
        ({"STEADFLEET_ENVIRONMENT": "staging"}, "in staging no image may be used that is not verified"),
        ({"STEADFLEET_ENVIRONMENT": "production"}, "expected one of dev, staging, prod"),
        ({"STEADFLEET_TRUST_POLICY": "gone.yaml"}, "STEADFLEET_TRUST_POLICY=gone.yaml: [Errno 2]"),
        ({"TEMPORAL_CONFIG_FILE": "gone.toml"}, "there is no such file"),
        ({"TEMPORAL_DEPLOYMENT_NAME": "prod"}, "TEMPORAL_WORKER_BUILD_ID is missing"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_before_anything_is_touched(
    tmp_path: Path, wrong: dict[str, str], said: str
) -> None:
    # An engine that is not there would be waited for: so whatever ends at once was refused before.
    env = LOCAL | {"TEMPORAL_ADDRESS": "127.0.0.1:1", "HOME": str(tmp_path)} | wrong
    command = Path(sys.executable).with_name("steadfleet-patch-campaign")
    ran = subprocess.run(
        [command], env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )

    told = json.loads(ran.stderr)
    assert ran.returncode == 1
    assert said in told["problem"]
