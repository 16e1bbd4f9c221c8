"""The signer offers everything that its port promises, and says in words why it cannot work."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from steadfleet_durable import register
from steadfleet_signer import keys
from steadfleet_signer.main import NAME, adapter
from steadfleet_signer.settings import Settings
from steadfleet_workflows.publishing import SIGNER_QUEUE


@pytest.fixture
def local(tmp_path: Path) -> dict[str, str]:
    keys.make(tmp_path / "key.pem")
    return {
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "STEADFLEET_ENVIRONMENT": "dev",
        "STEADFLEET_BUILDER_ID": "https://builders.example/image",
        "STEADFLEET_SIGNING_KEY_FILE": str(tmp_path / "key.pem"),
    }


def test_every_activity_of_the_port_is_offered(local: dict[str, str]) -> None:
    offered = {activity.__name__ for activity in register(adapter(Settings.from_env(local), local))}

    assert offered == {"attest_image", "retract_attestations"}


def test_the_task_queue_is_the_one_that_the_workflow_asks() -> None:
    assert NAME == SIGNER_QUEUE


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"AWS_REGION": ""}, "AWS: no AWS region is set"),
        ({"STEADFLEET_SIGNING_KEY_FILE": "gone.pem"}, "cannot sign: [Errno 2] No such file"),
        ({"STEADFLEET_ENVIRONMENT": ""}, "holds its key in a file, which 'prod' refuses"),
        ({"STEADFLEET_BUILDER_ID": ""}, "STEADFLEET_BUILDER_ID=: expected the URI"),
        ({"STEADFLEET_HEALTH_ADDRESS": "8081"}, "STEADFLEET_HEALTH_ADDRESS=8081: expected `host:port`"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_before_anything_is_touched(
    local: dict[str, str], tmp_path: Path, wrong: dict[str, str], said: str
) -> None:
    env = local | {"TEMPORAL_ADDRESS": "127.0.0.1:1", "HOME": str(tmp_path)} | wrong
    command = Path(sys.executable).with_name("steadfleet-signer")
    ran = subprocess.run(
        [command], env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )

    assert ran.returncode == 1
    assert said in json.loads(ran.stderr)["problem"]
    assert "PRIVATE KEY" not in ran.stderr
